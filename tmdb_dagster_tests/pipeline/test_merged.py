"""A movie that TMDB has merged into another is found by its IMDb id."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from tmdb_dagster.pipeline.ingest import ingest_movie
from tmdb_dagster.pipeline.refresh import DrainRequest, drain_queue
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.pipeline.enriching import ignore
from tmdb_dagster_tests.warehouse.database import execute, rows, value

GONE, SUCCESSOR, IMDB_ID = 603, 550, "tt7654321"


def merged(sandbox: SandboxServer, *results: int) -> None:
    sandbox.faults.add(Fault(f"/movie/{GONE}", "status", 404))
    found = [{"id": tmdb_id, "title": f"Found {tmdb_id}"} for tmdb_id in results]
    sandbox.faults.add(Fault(f"/find/{IMDB_ID}", "body", body={"movie_results": found}))


def look(run: Run, engine: Engine, *, days: int, looks: int) -> None:
    """Look for the gone movie once more, so many days after the first look."""
    execute(
        engine,
        "UPDATE works SET imdb_id = :imdb, ingestion_status = 'failed', failures = :failures, "
        "gone_at = now() - make_interval(days => :days) WHERE tmdb_id = :id",
        imdb=IMDB_ID,
        failures=looks - 1,
        days=days,
        id=str(GONE),
    )
    execute(engine, "INSERT INTO refresh_queue (work_id) SELECT work_id FROM works WHERE tmdb_id = :id", id=str(GONE))
    drain_queue(run, DrainRequest(), ignore)


def test_its_successor_is_named_and_ingested(
    start_run: Callable[..., Run], engine: Engine, sandbox: SandboxServer
) -> None:
    run = start_run()
    ingest_movie(run, GONE)
    merged(sandbox, GONE, SUCCESSOR)

    look(run, engine, days=61, looks=3)

    [work] = rows(engine, "SELECT merged_into, imdb_id, gone_at FROM works WHERE tmdb_id = :id", id=str(GONE))
    assert (work.merged_into, work.imdb_id) == (str(SUCCESSOR), None)
    answer = value(engine, "SELECT request_movie(:id)", id=GONE)
    assert (answer["status"], answer["reason"]) == ("refused", f"TMDB has this movie as {SUCCESSOR} now.")
    drain_queue(run, DrainRequest(), ignore)
    status = value(engine, "SELECT ingestion_status FROM works WHERE tmdb_id = :id", id=str(SUCCESSOR))
    assert status == "complete"
    assert sandbox.stats.calls == 4, "two movies, one of them twice, and one look"

    sandbox.reset()
    ingest_movie(run, GONE, force_refresh=True)
    assert value(engine, "SELECT merged_into FROM works WHERE tmdb_id = :id", id=str(GONE)) is None


@pytest.mark.parametrize(
    ("days", "looks", "results"),
    [(29, 3, [SUCCESSOR]), (61, 2, [SUCCESSOR]), (61, 3, []), (61, 3, [SUCCESSOR, 551]), (61, 3, [GONE])],
)
def test_nothing_is_guessed_too_early_or_of_several(
    days: int, looks: int, results: list[int], *, start_run: Callable[..., Run], engine: Engine, sandbox: SandboxServer
) -> None:
    run = start_run()
    ingest_movie(run, GONE)
    merged(sandbox, *results)

    look(run, engine, days=days, looks=looks)

    assert [tuple(row) for row in rows(engine, "SELECT tmdb_id, merged_into FROM works")] == [(str(GONE), None)]


def test_a_look_that_fails_costs_nothing(start_run: Callable[..., Run], engine: Engine, sandbox: SandboxServer) -> None:
    run = start_run()
    ingest_movie(run, GONE)
    merged(sandbox)
    sandbox.faults.clear()
    sandbox.faults.add(Fault(f"/movie/{GONE}", "status", 404))
    sandbox.faults.add(Fault(f"/find/{IMDB_ID}", "status", 500))

    look(run, engine, days=61, looks=3)

    assert value(engine, "SELECT status FROM refresh_queue") == "completed"
