"""What the refresh queue holds, through its use cases, on the sandbox and a real Postgres."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from tmdb_dagster.pipeline.errors import TmdbOutage
from tmdb_dagster.pipeline.run import open_run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import Settings
from tmdb_dagster.tmdb.errors import AuthenticationFailed
from tmdb_dagster.warehouse.claims import Target, claim, give_back_claims
from tmdb_dagster.warehouse.refresh_queue import enqueue_requested, enqueue_stale
from tmdb_dagster_tests.pipeline.daily_refresh.refreshing import (
    MOVIES,
    StartRun,
    age,
    asked,
    drained,
    make_due,
    queue,
    refreshed,
)
from tmdb_dagster_tests.pipeline.enriching import enriched
from tmdb_dagster_tests.warehouse.database import execute, rows, value


def test_a_movie_that_is_gone_is_completed_and_left_alone(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    sandbox.catalogue.remove(ingested[0])

    refresh, found = refreshed(start_run("daily"))

    assert found == {ingested[0]: "gone"}
    assert refresh.drained.gone == 1
    [entry] = rows(engine, "SELECT status, note FROM refresh_queue")
    assert entry.status == "completed"
    assert "404" in entry.note
    [work] = rows(engine, "SELECT * FROM works WHERE gone_at IS NOT NULL")
    assert work.retry_at - work.gone_at > timedelta(days=29)
    sandbox.reset()

    refreshed(start_run("again"))
    assert asked(sandbox)[1] == 0, "neither its age nor the feed asks for it again"

    execute(engine, "UPDATE works SET retry_at = now() WHERE gone_at IS NOT NULL")
    age(engine, ingested[:1])
    assert refreshed(start_run("a month later"))[1] == {ingested[0]: "gone"}


def test_a_failure_is_tried_three_times_more_and_then_given_up(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    age(engine, ingested[:2])
    sandbox.faults.add(Fault(f"/movie/{ingested[0]}", "status", status=500))
    refreshed_at = value(engine, "SELECT last_refreshed_at FROM works WHERE tmdb_id = :id", id=str(ingested[0]))

    delays = []
    refreshed(start_run("daily"), use_changes=False)
    for attempt in range(1, 5):
        [entry] = rows(
            engine,
            "SELECT *, extract(epoch FROM due_at - processed_at) AS delay FROM refresh_queue WHERE retry_count > 0",
        )
        if attempt <= 3:
            assert (entry.status, entry.retry_count) == ("queued", attempt)
            delays.append(float(entry.delay) / (300 * 2 ** (attempt - 1)))
            assert drained(start_run(f"early-{attempt}")).claimed == 0, "it is not due yet"
            make_due(engine)
            drained(start_run(f"retry-{attempt}"))
    assert all(0.5 <= delay <= 1.5 for delay in delays)
    assert (entry.status, entry.retry_count) == ("failed", 3)
    assert "500" in entry.last_error
    assert value(engine, "SELECT last_refreshed_at FROM works WHERE tmdb_id = :id", id=str(ingested[0])) == refreshed_at
    assert queue(engine) == {"completed": 1, "failed": 1}


def test_a_movie_can_be_queued_again_after_it_was_completed(
    start_run: StartRun, engine: Engine, ingested: list[int]
) -> None:
    for number in range(3):
        age(engine, ingested[:1])
        refreshed(start_run(f"daily-{number}"), use_changes=False)
    assert queue(engine) == {"completed": 3}


def test_a_movie_refreshed_meanwhile_costs_no_call(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    age(engine, ingested[:1])
    run = start_run("daily")
    with engine.begin() as connection:
        assert enqueue_stale(connection, 100) == 1
    enriched(start_run("a person"), ingested[:1], force=True)
    sandbox.reset()

    report = drained(run)

    assert (report.claimed, report.cached) == (1, 1)
    assert asked(sandbox) == (0, 0)
    assert queue(engine) == {"completed": 1}


def test_what_was_fetched_before_a_request_does_not_answer_it(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    """Another run is at the movie when it is asked for, and ends without having fetched it anew."""
    other = start_run("other")
    with engine.begin() as connection:
        assert len(claim(connection, other.run_id, [Target(ingested[0], "x")], force=True)) == 1
        assert enqueue_requested(connection, ingested[:1]) == 1
    sandbox.reset()

    def give_back() -> None:
        with engine.begin() as connection:
            give_back_claims(connection, other.run_id)

    timer = threading.Timer(1, give_back)
    timer.start()
    report = drained(start_run("drain"))
    timer.join()

    assert (report.completed, report.cached) == (1, 0)
    assert asked(sandbox) == (0, 1)


def test_a_work_that_tmdb_cannot_know_holds_nothing_up(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    odd, known = (
        value(engine, "SELECT work_id FROM works WHERE tmdb_id = :id", id=str(tmdb_id)) for tmdb_id in ingested[:2]
    )
    execute(engine, "UPDATE works SET tmdb_id = 'tt0133093', last_refreshed_at = NULL WHERE work_id = :id", id=odd)
    execute(engine, "INSERT INTO refresh_queue (work_id) VALUES (:odd), (:known)", odd=odd, known=known)

    refresh, found = refreshed(start_run("daily"), use_changes=False)

    assert found == {ingested[1]: "unchanged"}
    assert (refresh.queued.stale, refresh.drained.completed, refresh.drained.gone) == (0, 2, 1)
    noted = rows(engine, "SELECT work_id, status, note FROM refresh_queue ORDER BY work_id = :known", known=known)
    assert [tuple(row) for row in noted] == [
        (odd, "completed", "The work has no TMDB id"),
        (known, "completed", None),
    ]


def test_two_workers_at_once_process_each_entry_once(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    execute(engine, "INSERT INTO refresh_queue (work_id) SELECT work_id FROM works")
    runs = [start_run("one"), start_run("two")]
    with ThreadPoolExecutor() as pool:
        reports = list(pool.map(lambda run: drained(run, batch_size=3), runs))

    assert min(report.completed for report in reports) > 0
    assert sum(report.completed for report in reports) == MOVIES
    assert asked(sandbox) == (0, MOVIES)


def test_an_outage_leaves_the_rest_queued(
    settings: Settings, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    age(engine, ingested)
    sandbox.faults.add(Fault("/movie/[0-9]+", "status", status=503))

    with pytest.raises(TmdbOutage), open_run(settings, run_id="daily", job="test", origin="tmdb") as run:
        refreshed(run, use_changes=False)

    assert set(queue(engine)) == {"queued"}
    assert value(engine, "SELECT count(*) FROM refresh_queue WHERE retry_count > 0") <= 10
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'ingesting'") == 0


def test_a_refused_key_fails_the_run_and_no_movie(
    settings: Settings, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    age(engine, ingested[:3])
    sandbox.faults.add(Fault("/movie/.*", "status", status=401))

    with pytest.raises(AuthenticationFailed), open_run(settings, run_id="daily", job="test", origin="tmdb") as run:
        refreshed(run)

    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'failed'") == 0
    assert queue(engine) == {"queued": 3}
