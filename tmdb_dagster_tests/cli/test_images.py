"""`tmdb-dagster purge`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, Engine

from tmdb_dagster.cli.main import main
from tmdb_dagster.pipeline.errors import InvalidRequest
from tmdb_dagster.pipeline.ingest import ingest_movie
from tmdb_dagster.pipeline.purge import purge
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.services.image_store import open_store
from tmdb_dagster.settings import load_settings
from tmdb_dagster_tests.warehouse.database import take_lease, value


def test_purge_asks_and_then_removes_all_rows_and_files(
    image_store: str, start_run: Callable[..., Run], engine: Engine
) -> None:
    settings = load_settings()
    store = open_store(settings)
    assert store is not None
    store.put("others/mine.jpg", b"not ours")
    run = start_run()
    ingest_movie(run, 603)
    run.lease.give_back()

    assert CliRunner().invoke(main, ["purge"], input="n\n").exit_code == 1
    assert value(engine, "SELECT count(*) FROM works") == 1
    done = CliRunner().invoke(main, ["purge"], input="y\n")

    assert done.exit_code == 0, done.output
    assert "Removed 1 movie and" in done.output
    for table in ("works", "works_meta", "movie_responses", "image_inventory", "work_images", "work_cards_cache"):
        assert value(engine, f"SELECT count(*) FROM {table}") == 0
    assert [key for page in store.pages() for key in page] == ["others/mine.jpg"]


def test_purge_waits_for_no_run(image_store: str, engine: Engine) -> None:
    take_lease(engine, "run-1")

    done = CliRunner().invoke(main, ["purge", "--yes"])

    assert done.exit_code == 1
    assert "test is running: stop it first" in done.output
    assert value(engine, "SELECT string_agg(run_id, ',') FROM run_leases") == "run-1"


def test_a_purge_holds_a_lease_that_keeps_another_and_runs_from_starting(
    image_store: str, start_run: Callable[..., Run], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings()

    def remove(connection: Connection) -> int:
        with pytest.raises(InvalidRequest, match="purge is running"):
            purge(engine, settings)
        with pytest.raises(InvalidRequest, match="A purge is removing all movies"):
            start_run()
        return 0

    monkeypatch.setattr("tmdb_dagster.pipeline.purge.empty_catalogue", remove)

    assert purge(engine, settings) == (0, 0)
    assert value(engine, "SELECT count(*) FROM run_leases") == 0
