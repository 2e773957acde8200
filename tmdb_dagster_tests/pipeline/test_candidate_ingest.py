"""The ingest of a discovery's candidates: its log, and going on after an interruption."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from tmdb_dagster.pipeline import discover as discovery
from tmdb_dagster.pipeline.discover import IngestRequest, discover
from tmdb_dagster.pipeline.errors import PipelineError, TmdbOutage
from tmdb_dagster.pipeline.ingest import ingest_candidates
from tmdb_dagster.pipeline.outcome import MovieOutcome, Status
from tmdb_dagster.pipeline.run import Run, open_run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import Settings
from tmdb_dagster_tests.warehouse.database import contents, execute, rows, take_lease, value

Start = Callable[..., Run]
LOG = "SELECT * FROM scheduled_ingestion_log ORDER BY id"
REQUEST = IngestRequest("popular", 12, 1, "scheduled")

# The ingest in a process of its own, which kills itself as soon as a few movies are written.
KILLED = """
import os, signal, sys
from tmdb_dagster.pipeline.discover import IngestRequest, discover
from tmdb_dagster.pipeline.ingest import ingest_candidates
from tmdb_dagster.pipeline.run import open_run
from tmdb_dagster.settings import load_settings

with open_run(load_settings(tmdb_concurrency=2), run_id="killed", job="test", origin="tmdb") as run:
    discover(run, IngestRequest("popular", 12, 1, "scheduled"))
    done = []

    def settled(outcomes):
        done.extend(outcomes)
        if len(done) >= 4:
            os.kill(os.getpid(), signal.SIGKILL)

    ingest_candidates(run, ["killed"], settled)
"""


def ingested(run: Run, *parents: str) -> list[MovieOutcome]:
    found: list[MovieOutcome] = []
    ingest_candidates(run, [run.run_id, *parents], found.extend)
    return found


@pytest.fixture
def killed(settings_environment: dict[str, str], engine: Engine, sandbox: SandboxServer) -> set[str]:
    """A run that was killed in the middle of its ingest; returns the TMDB ids of what it completed."""
    sandbox.faults.add(Fault("/movie/[0-9]+", "delay", times=5))
    sandbox.faults.add(Fault("/movie/[0-9]+", "delay", delay_s=60))
    process = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False)
    assert process.returncode == -9, process.stderr
    sandbox.reset()
    execute(engine, "UPDATE run_leases SET expires_at = clock_timestamp()")
    complete = {row.tmdb_id for row in rows(engine, "SELECT tmdb_id FROM works WHERE ingestion_status = 'complete'")}
    assert len(complete) in (4, 5)
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'ingesting'") > 0
    return complete


def test_an_ingest_is_one_row_in_the_log(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    run = start_run()
    discover(run, REQUEST)
    ids = [row.tmdb_id for row in rows(engine, "SELECT tmdb_id FROM ingest_candidates ORDER BY rank")]
    sandbox.faults.add(Fault(f"/movie/{ids[1]}", "status", 404))
    sandbox.faults.add(Fault(f"/movie/{ids[2]}", "status", 400))

    outcomes = ingested(run)

    assert [outcome.status for outcome in outcomes].count(Status.INGESTED) == 10
    [row] = rows(engine, LOG)
    assert (row.source, row.trigger_type, row.run_id, row.error_message) == ("popular", "scheduled", "run-1", None)
    assert (row.movies_checked, row.movies_skipped, row.movies_ingested, row.movies_failed) == (20, 0, 10, 2)
    titles = {one.tmdb_id: f"{one.title} ({one.year})" if one.year else one.title for one in outcomes}
    assert row.ingested_titles == [titles[int(tmdb_id)] for tmdb_id in ids if tmdb_id not in ids[1:3]]
    assert [text.split(": ")[0] for text in row.failed_titles] == [
        one.title for tmdb_id in ids[1:3] for one in outcomes if one.tmdb_id == int(tmdb_id)
    ]
    assert "404" in row.failed_titles[0]
    assert 0 <= row.duration_ms < 60_000
    [state] = rows(engine, "SELECT * FROM sync_state")
    assert (state.sync_type, state.sync_count, state.last_sync_cursor) == ("scheduled_ingest", 1, None)
    assert state.last_sync_at is not None
    assert value(engine, "SELECT closed_at IS NOT NULL FROM ingest_batches") is True


def test_a_second_ingest_takes_the_next_movies(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    for number, left in ((1, 12), (2, 8)):
        run = start_run(f"run-{number}")
        found = discover(run, REQUEST)
        assert (found.resumed, len(ingested(run))) == (False, left)
        sandbox.reset()

    first, second = rows(engine, LOG)
    assert (first.movies_skipped, second.movies_skipped) == (0, 12)
    assert (second.movies_checked, second.movies_ingested) == (20, 8)
    assert value(engine, "SELECT sync_count FROM sync_state") == 2
    assert value(engine, "SELECT count(*) FROM list_snapshots") == 40, "the lists' history grows"


def test_an_ingest_that_fails_is_logged_with_what_it_did(
    settings: Settings, engine: Engine, sandbox: SandboxServer
) -> None:
    sandbox.faults.add(Fault("/movie/[0-9]+", "delay", times=3))
    sandbox.faults.add(Fault("/movie/[0-9]+", "status", 401))

    def ingest() -> None:
        with open_run(settings.model_copy(update={"tmdb_concurrency": 1}), run_id="r", job="t", origin="tmdb") as run:
            discover(run, REQUEST)
            ingested(run)

    with pytest.raises(Exception, match="TMDB_API_KEY"):
        ingest()

    [row] = rows(engine, LOG)
    assert "TMDB_API_KEY" in row.error_message
    assert row.movies_failed == 0
    assert row.movies_ingested == value(engine, "SELECT count(*) FROM works")
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status <> 'complete'") == 0
    assert rows(engine, "SELECT 1 FROM sync_state") == []
    assert rows(engine, "SELECT 1 FROM ingest_batches WHERE closed_at IS NULL") == []


def test_silence_of_tmdb_is_a_failed_run_even_for_few_movies(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    run = start_run()
    discover(run, IngestRequest("popular", 3, 1))
    sandbox.faults.add(Fault("/movie/[0-9]+", "drop"))

    with pytest.raises(TmdbOutage, match="none of 3 movies"):
        ingested(run)

    assert "none of 3" in value(engine, "SELECT error_message FROM scheduled_ingestion_log")


@pytest.mark.parametrize(
    ("raised", "logged"),
    [(KeyboardInterrupt, "The run was stopped"), (ConnectionError, "Dagster's database is gone")],
)
def test_a_run_that_is_stopped_ends_what_is_under_way_and_is_logged(
    settings: Settings, engine: Engine, sandbox: SandboxServer, raised: type[BaseException], logged: str
) -> None:
    """By a person, or since the callback failed."""
    at_work: list[list[str]] = []

    def stop(_outcomes: list[MovieOutcome]) -> None:
        at_work.append(_threads_at_work())
        raise raised("Dagster's database is gone")

    def ingest() -> None:
        with open_run(settings, run_id="run-1", job="test", origin="tmdb") as run:
            discover(run, REQUEST)
            try:
                ingest_candidates(run, ["run-1"], stop)
            finally:
                at_work.append(_threads_at_work())

    sandbox.faults.add(Fault("/movie/[0-9]+", "delay", times=5))
    sandbox.faults.add(Fault("/movie/[0-9]+", "delay", delay_s=1))
    with pytest.raises(raised):
        ingest()

    [before, after] = at_work
    assert before
    assert after == []
    assert value(engine, "SELECT error_message FROM scheduled_ingestion_log") == logged
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status <> 'complete'") == 0, "claims come back"
    assert 0 < value(engine, "SELECT count(outcome) FROM ingest_candidates") < 12


def _threads_at_work() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("enrich")]


def test_without_a_discovery_there_is_nothing_to_ingest(start_run: Start) -> None:
    with pytest.raises(PipelineError, match="Run run-1 has no open batch"):
        ingested(start_run())


def test_a_repeated_run_goes_on_with_its_parents_batch_under_its_own_name(start_run: Start, engine: Engine) -> None:
    discover(start_run("parent"), REQUEST)

    assert len(ingested(start_run("child"), "parent")) == 12
    assert value(engine, "SELECT run_id FROM scheduled_ingestion_log") == "child"


def test_a_killed_ingest_is_resumed_with_the_same_candidates(
    killed: set[str], start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    before = contents(engine, "ingest_candidates", without=("outcome", "message"))

    run = start_run("again")
    found = discover(run, REQUEST)

    assert (found.resumed, found.candidates, found.snapshots) == (True, 12 - len(killed), ())
    assert sandbox.stats.calls == 0, "the lists are not asked again"
    outcomes = ingested(run)
    assert {str(one.tmdb_id) for one in outcomes}.isdisjoint(killed)
    assert sandbox.stats.calls == len(outcomes) == 12 - len(killed)
    assert contents(engine, "ingest_candidates", without=("outcome", "message")) == before
    [row] = rows(engine, LOG)
    assert (row.movies_ingested, row.movies_failed, row.run_id, row.error_message) == (12, 0, "again", None)
    assert row.trigger_type == "scheduled"
    assert value(engine, "SELECT count(DISTINCT tmdb_id) FROM works WHERE ingestion_status = 'complete'") == 12
    assert value(engine, "SELECT sync_count FROM sync_state") == 1


def test_with_other_parameters_a_killed_ingest_is_closed_as_interrupted(
    killed: set[str], start_run: Start, engine: Engine
) -> None:
    run = start_run("again")
    found = discover(run, IngestRequest("popular", 20, 1))
    ingested(run)

    assert (found.resumed, found.batch.movies_skipped, found.candidates) == (False, len(killed), 20 - len(killed))
    interrupted, complete = rows(engine, LOG)
    assert (interrupted.run_id, interrupted.movies_ingested) == ("killed", len(killed))
    assert interrupted.error_message == "Run killed was interrupted and not resumed"
    assert (complete.run_id, complete.movies_ingested, complete.error_message) == ("again", 20 - len(killed), None)
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'ingesting'") == 0
    assert value(engine, "SELECT sync_count FROM sync_state") == 1


def test_an_ingest_that_was_killed_long_ago_is_closed_and_not_resumed(
    killed: set[str], start_run: Start, engine: Engine
) -> None:
    """However long ago: its duration in milliseconds is more than the column can hold."""
    execute(engine, "UPDATE ingest_batches SET started_at = started_at - interval '90 days'")

    assert not discover(start_run("again"), REQUEST).resumed

    [row] = rows(engine, LOG)
    assert (row.run_id, row.movies_ingested) == ("killed", len(killed))
    assert row.duration_ms == 2**31 - 1


def test_a_run_that_lives_keeps_its_batch(start_run: Start, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as it shows that it lives, by renewing its lease, the other run goes on beside it."""
    monkeypatch.setattr(discovery, "RENEW_EVERY_S", 0)
    monkeypatch.setattr(discovery, "LEASE_S", 0.6)
    alive = start_run("alive")
    discover(alive, REQUEST)

    found = discover(start_run("other"), REQUEST)

    assert not found.resumed
    assert len(ingested(alive)) == 12
    assert value(engine, "SELECT count(*) FROM ingest_batches WHERE closed_at IS NULL") == 1


def test_a_run_that_was_only_just_killed_is_waited_for_and_resumed(start_run: Start, engine: Engine) -> None:
    discover(start_run("killed"), REQUEST)
    execute(engine, "UPDATE ingest_batches SET run_id = 'silent'")
    take_lease(engine, "silent", seconds=0.3)

    assert discover(start_run("again"), REQUEST).resumed


def test_a_run_that_was_overtaken_does_not_close_the_batch_again(start_run: Start, engine: Engine) -> None:
    """It slept too long: another run has resumed its batch, and logs it."""
    slow = start_run("slow")
    discover(slow, REQUEST)
    done = "SELECT tmdb_id, outcome FROM ingest_candidates ORDER BY rank"
    before: list[tuple[Any, ...]] = []

    def overtake(_outcomes: list[MovieOutcome]) -> None:
        if not before:
            execute(engine, "UPDATE ingest_batches SET run_id = 'again'")
            before.extend(tuple(row) for row in rows(engine, done))

    ingest_candidates(slow, ["slow"], overtake)

    assert rows(engine, LOG) == []
    assert value(engine, "SELECT closed_at FROM ingest_batches") is None
    assert [tuple(row) for row in rows(engine, done)] == before
