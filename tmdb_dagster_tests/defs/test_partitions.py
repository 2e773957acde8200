"""The partitions of movies, which the sensor movie_partitions_sync keeps equal to the catalogue."""

from __future__ import annotations

from datetime import timedelta

import pytest
from dagster import (
    AddDynamicPartitionsRequest,
    AssetMaterialization,
    DagsterInstance,
    SensorResult,
    build_sensor_context,
)
from sqlalchemy import Engine

from tmdb_dagster.clock import utc_now
from tmdb_dagster.defs.resources import CatalogueResource
from tmdb_dagster.defs.sensors import movie_partitions_sync
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.defs.conftest import Execute
from tmdb_dagster_tests.defs.events import metadata, observations
from tmdb_dagster_tests.warehouse.database import add_work
from tmdb_dagster_tests.warehouse.database import execute as change


def _sync(instance: DagsterInstance, cursor: str | None) -> str | None:
    """One tick of the sensor, and what the daemon then does."""
    result = movie_partitions_sync(
        build_sensor_context(instance=instance, cursor=cursor), catalogue=CatalogueResource()
    )
    assert isinstance(result, SensorResult)
    for event in result.asset_events:
        instance.report_runless_asset_event(event)
    for request in result.dynamic_partitions_requests or []:
        keys = list(request.partition_keys)
        assert 0 < len(keys) <= 2
        if isinstance(request, AddDynamicPartitionsRequest):
            instance.add_dynamic_partitions("movies", keys)
        else:
            for key in keys:
                instance.delete_dynamic_partition("movies", key)
    return result.cursor


def test_partitions_are_the_catalogues_movies(
    execute: Execute, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    execute("weekly_ingest", source="popular", max_movies=3, pages_per_source=1)
    left, *_ = sorted(instance.get_dynamic_partitions("movies"))
    instance.add_dynamic_partitions("movies", ["a person's"])
    change(engine, "DELETE FROM works WHERE tmdb_id = :left", left=left)
    add_work(engine, 77, last_refreshed_at=utc_now())
    change(
        engine,
        "ALTER TABLE works ALTER COLUMN tmdb_id DROP NOT NULL; "
        "INSERT INTO works (tmdb_id, title, last_refreshed_at) VALUES (NULL, '', now()), ('tt0133093', '', now())",
    )

    result = movie_partitions_sync(build_sensor_context(instance=instance), catalogue=CatalogueResource())

    assert isinstance(result, SensorResult)
    requests = [list(request.partition_keys) for request in result.dynamic_partitions_requests or []]
    assert requests == [["77"], [left]]


def test_works_that_were_never_ingested_have_partitions_as_long_as_they_are_there(
    instance: DagsterInstance, engine: Engine, settings_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmdb_dagster.defs.sensors.UNWRITTEN_A_TICK", 1)
    add_work(engine, 77, ingestion_status="failed", ingestion_error="TMDB answered 500")
    add_work(engine, 78)
    instance.add_dynamic_partitions("movies", ["a person's"])

    cursor = _sync(instance, _sync(instance, _sync(instance, None)))

    assert set(instance.get_dynamic_partitions("movies")) == {"77", "78", "a person's"}
    assert {one.partition: metadata(one) for one in observations(instance, "movies")} == {
        "77": {"title": "Movie 77", "status": "failed", "reason": "TMDB answered 500"},
        "78": {"title": "Movie 78", "status": "pending"},
    }
    change(engine, "DELETE FROM works WHERE tmdb_id = '77'")
    _sync(instance, cursor)
    assert set(instance.get_dynamic_partitions("movies")) == {"78", "a person's"}


def test_partitions_are_kept_a_few_at_a_time(
    instance: DagsterInstance, engine: Engine, settings_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tick looks at so many works and partitions, and the next one goes on from there, and then anew."""
    monkeypatch.setattr("tmdb_dagster.defs.sensors.PARTITIONS_A_TICK", 2)
    moment = utc_now() - timedelta(days=1)
    for tmdb_id in (1, 2, 3, 4, 5):
        add_work(engine, tmdb_id, last_refreshed_at=moment)  # all at one moment
    gone = [str(tmdb_id) for tmdb_id in (91, 92, 93)]
    instance.add_dynamic_partitions("movies", [*gone, "1"])
    for key in gone:
        instance.report_runless_asset_event(AssetMaterialization("movies", partition=key))

    cursor = None
    for _ in range(4):
        cursor = _sync(instance, cursor)
    assert set(instance.get_dynamic_partitions("movies")) == {"1", "2", "3", "4", "5"}

    add_work(engine, 6, last_refreshed_at=utc_now())
    change(engine, "DELETE FROM works WHERE tmdb_id = '1'")
    instance.report_runless_asset_event(AssetMaterialization("movies", partition="1"))
    for _ in range(4):
        cursor = _sync(instance, cursor)
    assert set(instance.get_dynamic_partitions("movies")) == {"2", "3", "4", "5", "6"}
