"""Images in Dagster: events of the ingest, the partition, the repair job and the check."""

from __future__ import annotations

import pytest
from dagster import AssetCheckKey, AssetKey, DagsterInstance, Definitions
from sqlalchemy import Engine, text

from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.defs.conftest import Execute
from tmdb_dagster_tests.defs.events import failures, materializations, metadata, warnings_in

PHOTOS = "/t/p/w185/.*"


def _stored(engine: Engine) -> int:
    with engine.begin() as connection:
        return connection.scalar(text("SELECT count(*) FROM image_inventory WHERE status = 'stored'")) or 0


def test_one_run_rehosts_the_images_of_every_movie(
    image_store: str, execute: Execute, instance: DagsterInstance, engine: Engine
) -> None:
    result = execute("weekly_ingest", source="popular", max_movies=3, pages_per_source=1)

    movies = {one.partition: metadata(one) for one in materializations(instance, "movies")}
    images = {one.partition: metadata(one) for one in materializations(instance, "movie_images")}
    assert result.success
    assert len(instance.get_runs()) == 1
    assert set(images) == set(movies)
    assert sum(shown["fetched"] for shown in images.values()) == _stored(engine)
    assert all((shown["missing"], shown["bytes"] > 10_000) == (0, True) for shown in images.values())
    assert all("/posters/" in shown["poster"] for shown in images.values())
    assert warnings_in(instance, result.run_id) == []


@pytest.mark.parametrize("image_store", ["local"], indirect=True)
def test_what_could_not_be_fetched_is_warned_of_and_repaired(
    image_store: str, execute: Execute, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    sandbox.faults.add(Fault(PHOTOS, "status", status=404))
    ingest = execute("ingest_movie", tmdb_id=603)
    (warning,) = warnings_in(instance, ingest.run_id)
    assert "images left at TMDB" in warning
    sandbox.faults.clear()

    scheduled = execute("repair_images", everything=False, verify=False)
    assert scheduled.output_for_node("repair_images")["fetched"] == 0, "nothing is due yet"
    repair = execute("repair_images")
    repaired = repair.output_for_node("repair_images")

    missing = metadata(materializations(instance, "movie_images")[-1])["missing"]
    assert (repaired["fetched"], repaired["failed"], repaired["movies updated"]) == (missing, 0, 1)
    newest = materializations(instance, "movie_images")[0]
    assert (newest.partition, metadata(newest)["missing"]) == ("603", 0)
    said = [entry.user_message for entry in instance.all_logs(repair.run_id)]
    assert f"Fetched {missing} images, and 0 failed" in said, "it shows that it is alive"


@pytest.mark.parametrize("image_store", ["local"], indirect=True)
def test_images_are_fetched_from_the_partition_of_their_movie(
    image_store: str,
    execute: Execute,
    code_location: Definitions,
    instance: DagsterInstance,
    sandbox: SandboxServer,
) -> None:
    sandbox.faults.add(Fault(PHOTOS, "status", status=404))
    execute("ingest_movie", tmdb_id=603)
    sandbox.faults.clear()

    result = code_location.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[AssetKey("movie_images")], partition_key="603", instance=instance
    )

    assert result.success
    shown = metadata(materializations(instance, "movie_images")[0])
    assert shown["fetched"] > 0
    assert shown["missing"] == 0


@pytest.mark.parametrize("image_store", ["local"], indirect=True)
def test_images_that_were_given_up_show_in_a_check(image_store: str, execute: Execute, engine: Engine) -> None:
    execute("weekly_ingest", source="popular", max_movies=1, pages_per_source=1)
    with engine.begin() as connection:
        connection.execute(text("UPDATE image_inventory SET status = 'gave_up' WHERE kind = 'poster'"))

    result = execute("data_quality")

    evaluations = {one.asset_check_key: one for one in result.get_asset_check_evaluations()}
    check = evaluations[AssetCheckKey(AssetKey("works_meta"), "no_images_given_up")]
    assert (check.passed, check.metadata["given up"].value) == (False, 2)
    assert result.success


def test_without_a_store_there_is_nothing_to_repair(execute: Execute) -> None:
    (message,) = failures(execute("repair_images").all_events)

    assert message is not None
    assert "MOVIE_IMAGES_STORE is none" in message
