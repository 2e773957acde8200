"""What ingest_movie does in each state of the work."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from tmdb_dagster.pipeline import enrich
from tmdb_dagster.pipeline.errors import InvalidRequest, MovieBusy, MovieFailed
from tmdb_dagster.pipeline.ingest import ingest_movie
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.warehouse.leases import LEASE_S
from tmdb_dagster_tests.warehouse.database import add_work, execute, rows, take_lease, until, value

Start = Callable[..., Run]
STATUS = "SELECT ingestion_status FROM works WHERE tmdb_id = '603'"


def working_elsewhere(engine: Engine, *, seconds: float = 600, status: str = "pending") -> None:
    """Another run's claim on movie 603, which lives for so long."""
    take_lease(engine, "other", seconds=seconds)
    add_work(engine, 603, ingestion_status="ingesting", claimed_by="other", status_before_claim=status)


def test_an_unknown_movie_is_ingested_by_one_call(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    outcome = ingest_movie(start_run(), 603)

    assert (outcome.status, outcome.calls, outcome.message) == ("ingested", 1, None)
    assert sandbox.stats.calls == 1
    [work] = rows(engine, "SELECT * FROM works JOIN work_cards_cache USING (work_id)")
    assert (work.ingestion_status, work.claimed_by, work.added_by) == ("complete", None, "operator")
    assert (work.work_id, work.title, work.year, work.etag) == (
        outcome.work_id,
        outcome.title,
        outcome.year,
        outcome.etag,
    )


def test_a_complete_fresh_movie_costs_no_call(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    run = start_run()
    first = ingest_movie(run, 603)
    sandbox.reset()

    again = ingest_movie(run, 603)

    assert (again.status, again.etag, again.title, again.calls) == ("cached", first.etag, first.title, 0)
    assert sandbox.stats.calls == 0


@pytest.mark.parametrize(
    "aging",
    [
        "UPDATE works SET last_refreshed_at = now() - interval '31 days'",
        "UPDATE works_meta SET schema_version = schema_version - 1",
        "UPDATE works SET ingestion_status = 'failed'",
        "UPDATE works SET ingestion_status = 'pending'",
        "UPDATE works SET ingestion_status = NULL",
        "UPDATE works SET ingestion_status = 'ingesting'",
    ],
)
def test_a_movie_that_is_due_is_asked_for(start_run: Start, engine: Engine, sandbox: SandboxServer, aging: str) -> None:
    run = start_run()
    ingest_movie(run, 603)
    before = value(engine, "SELECT last_refreshed_at FROM works")
    execute(engine, aging)
    sandbox.reset()

    outcome = ingest_movie(run, 603)

    assert (outcome.calls, sandbox.stats.calls) == (1, 1)
    [work] = rows(engine, "SELECT * FROM works JOIN works_meta USING (work_id)")
    assert work.ingestion_status == "complete"
    assert work.last_refreshed_at > before
    assert work.schema_version == value(engine, "SELECT current_schema_version()")


def test_a_fresh_movie_is_asked_for_if_a_refresh_is_forced(start_run: Start, sandbox: SandboxServer) -> None:
    run = start_run()
    ingest_movie(run, 603)
    sandbox.reset()

    assert ingest_movie(run, 603, force_refresh=True).status == "unchanged"
    assert sandbox.stats.calls == 1


@pytest.mark.parametrize("force", [False, True])
def test_two_runs_at_once_make_one_call(start_run: Start, engine: Engine, sandbox: SandboxServer, force: bool) -> None:
    first, second = start_run("run-1"), start_run("run-2")
    sandbox.faults.add(Fault("/movie/603", "delay", delay_s=0.4, times=1))
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(ingest_movie, first, 603)
        until(lambda: value(engine, STATUS) == "ingesting", "the first run's claim")

        behind = ingest_movie(second, 603, force_refresh=force)

    assert (ahead.result().status, behind.status) == ("ingested", "cached")
    assert behind.etag == ahead.result().etag
    assert sandbox.stats.calls == 1


def test_if_the_other_run_fails_it_is_tried_again(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    first, second = start_run("run-1"), start_run("run-2")
    sandbox.faults.add(Fault("/movie/603", "status", 400, delay_s=0.4, times=1))
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(ingest_movie, first, 603)
        until(lambda: value(engine, STATUS) == "ingesting", "the first run's claim")

        behind = ingest_movie(second, 603)

    assert isinstance(ahead.exception(), MovieFailed)
    assert behind.status == "ingested"
    assert value(engine, STATUS) == "complete"


def test_a_movie_that_stays_busy_is_a_clear_error(
    start_run: Start, engine: Engine, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrich, "BUSY_WAIT_S", 0.1)
    run = start_run()
    working_elsewhere(engine)

    with pytest.raises(MovieBusy, match=r"Movie 603 is still being ingested .* Run other is ingesting it"):
        ingest_movie(run, 603, force_refresh=True)

    assert sandbox.stats.calls == 0
    assert tuple(rows(engine, "SELECT ingestion_status, claimed_by FROM works")[0]) == ("ingesting", "other")


def test_an_expired_claim_is_taken_over_at_once(start_run: Start, engine: Engine) -> None:
    run = start_run()
    working_elsewhere(engine, seconds=-1)

    assert ingest_movie(run, 603).status == "ingested"
    assert value(engine, STATUS) == "complete"


def test_a_claim_that_expires_meanwhile_is_taken_over(start_run: Start, engine: Engine) -> None:
    run = start_run()
    working_elsewhere(engine, seconds=0.3)

    assert ingest_movie(run, 603).status == "ingested"


def test_waiting_outlasts_the_lease_of_a_run_that_was_killed() -> None:
    assert enrich.BUSY_WAIT_S == 30
    assert LEASE_S < enrich.BUSY_WAIT_S


@pytest.mark.parametrize("tmdb_id", [0, -1, 2**31])
def test_an_impossible_id_is_refused_before_any_call(start_run: Start, sandbox: SandboxServer, tmdb_id: int) -> None:
    with pytest.raises(InvalidRequest, match=f"tmdb_id is {tmdb_id}"):
        ingest_movie(start_run(), tmdb_id)

    assert sandbox.stats.calls == 0


def test_a_run_can_go_on_after_a_movie(start_run: Start, sandbox: SandboxServer) -> None:
    """Retries still wait and try again: the end of one movie is not the end of the run."""
    run = start_run()
    ingest_movie(run, 603)
    sandbox.faults.add(Fault("/movie/550", "status", 503, times=1))

    outcome = ingest_movie(run, 550)

    assert (outcome.status, outcome.calls) == ("ingested", 2)
    assert not run.ending.is_set()
