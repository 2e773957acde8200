from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine, text

from tmdb_dagster.pipeline.ingest import ingest_movie
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.server import SandboxServer


def test_an_unknown_movie_is_ingested_by_one_call(
    start_run: Callable[..., Run], engine: Engine, sandbox: SandboxServer
) -> None:
    outcome = ingest_movie(start_run(), 603)

    assert (outcome.status, outcome.calls) == ("ingested", 1)
    assert sandbox.stats.calls == 1
    with engine.begin() as connection:
        status = connection.scalar(text("SELECT ingestion_status FROM works WHERE tmdb_id = '603'"))
    assert status == "complete"


def test_a_complete_fresh_movie_costs_no_call(start_run: Callable[..., Run], sandbox: SandboxServer) -> None:
    run = start_run()
    first = ingest_movie(run, 603)
    sandbox.reset()

    again = ingest_movie(run, 603)

    assert (again.status, again.etag) == ("cached", first.etag)
    assert sandbox.stats.calls == 0
