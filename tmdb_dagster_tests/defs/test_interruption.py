"""A weekly ingest killed anywhere and started again ends as if it had not been killed."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import Engine, text

from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster_tests.defs.conftest import StartJob
from tmdb_dagster_tests.defs.content import catalogue_content
from tmdb_dagster_tests.defs.job_process import JobProcess
from tmdb_dagster_tests.warehouse.database import note_writes

TIMEOUT_S = 120
MOVIES = 20
AT_ONCE = 3
CONFIG = {"ops": {"ingest_candidates": {"config": {"source": "popular", "max_movies": MOVIES, "pages_per_source": 1}}}}


@dataclass(frozen=True)
class Moment:
    """When to kill: so many seconds after so many movies are settled; -1 before there are candidates."""

    settled: int
    seconds: float


def _moments(seed: int, number: int) -> list[Moment]:
    chance = random.Random(seed)
    # Most of a run's steps are at its beginning and at its end.
    settled = [MOVIES // 2, -1, 0, MOVIES - 1, *(chance.randrange(1, MOVIES - 1) for _ in range(number - 4))]
    return [Moment(count, chance.uniform(0, 0.1)) for count in settled]


@pytest.fixture(scope="module")
def slow_tmdb() -> Iterator[SandboxServer]:
    """Slow enough that a kill falls between two movies, and nowhere else."""
    with SandboxServer(movies=300) as server:
        server.faults.add(Fault("/movie/.*", "delay", delay_s=0.25))
        yield server


class Trial:
    """One database, and the weekly ingest on it."""

    def __init__(self, engine: Engine, url: str, start_job: StartJob, server: SandboxServer) -> None:
        self.engine = engine
        self.url = url
        self._start_job = start_job
        self._variables = {"DATABASE_URL": url, "TMDB_API_URL": server.api_url, "TMDB_CONCURRENCY": "2"}

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        with self.engine.begin() as connection:
            return [tuple(row) for row in connection.execute(text(question))]

    def start(self) -> JobProcess:
        return self._start_job("weekly_ingest", CONFIG, **self._variables)

    def kill_at(self, moment: Moment) -> bool:
        """Start, and kill the whole process group then; whether that interrupted it."""
        process = self.start()
        while self.progress() < moment.settled and process.poll() is None:
            time.sleep(0.005)
        time.sleep(moment.seconds)
        process.kill()
        process.wait()
        return process.returncode == -signal.SIGKILL and not self.ask("SELECT FROM scheduled_ingestion_log")

    def stop_at(self, settled: int) -> JobProcess:
        """Start, and put the whole process group to sleep then, as a machine that sleeps does."""
        process = self.start()
        while self.progress() < settled and process.poll() is None:
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGSTOP)
        return process

    def progress(self) -> int:
        """Movies settled; -1 while there are no candidates, -2 until the run has begun."""
        [(run, batch, settled)] = self.ask(
            "SELECT EXISTS (SELECT FROM run_leases), EXISTS (SELECT FROM ingest_batches), "
            "(SELECT count(outcome) FROM ingest_candidates)"
        )
        return int(settled) if batch else -1 if run else -2

    def calls_of_the_last_run(self) -> tuple[int, int]:
        """How many list pages and how many movies it asked for."""
        [(lists, movies)] = self.ask(
            "SELECT count(*) FILTER (WHERE tmdb_id IS NULL), count(tmdb_id) FROM tmdb_api_logs "
            "WHERE metadata ->> 'run_id' = (SELECT run_id FROM scheduled_ingestion_log)"
        )
        return lists, movies

    def let_leases_expire(self) -> None:
        """What half a minute does."""
        with self.engine.begin() as connection:
            connection.execute(text("UPDATE run_leases SET expires_at = clock_timestamp()"))


NewTrial = Callable[[], Trial]
Check = Callable[[str], None]


@pytest.fixture
def new_trial(
    new_database: Callable[..., str], template: str, start_job: StartJob, slow_tmdb: SandboxServer
) -> Iterator[NewTrial]:
    engines: list[Engine] = []

    def make() -> Trial:
        url = new_database(template)
        engines.append(connect(url))
        return Trial(engines[-1], url, start_job, slow_tmdb)

    yield make
    for engine in engines:
        engine.dispose()


def _state(trial: Trial) -> dict[str, Any]:
    """All that an ingest leaves, without ids and times; calls aside, whose last ones die with a run."""
    return {
        "movies": catalogue_content(trial.engine),
        "candidates": trial.ask("SELECT tmdb_id, rank, sources, outcome, message FROM ingest_candidates ORDER BY rank"),
        "open batches": trial.ask("SELECT run_id FROM ingest_batches WHERE closed_at IS NULL"),
        "lists": trial.ask("SELECT source, rank, tmdb_id FROM list_snapshots ORDER BY source, rank"),
        "log": trial.ask(
            "SELECT source, movies_checked, movies_skipped, movies_ingested, movies_failed, ingested_titles, "
            "failed_titles, trigger_type, error_message FROM scheduled_ingestion_log"
        ),
        "syncs": trial.ask("SELECT sync_type, sync_count FROM sync_state"),
    }


def _killed(new_trial: NewTrial, moment: Moment) -> Trial:
    """A trial that was interrupted; movies are settled some at a time, so a kill may come when all is done."""
    for attempt in range(5):
        trial = new_trial()
        if trial.kill_at(Moment(moment.settled, moment.seconds / 2**attempt)):
            return trial
    pytest.fail(f"the kills came too late: {moment}")


def _prove(moments: list[Moment], new_trial: NewTrial, output: Path, check: Check) -> None:
    calm = new_trial()
    running = [(calm, calm.start(), (1, MOVIES), "undisturbed")]
    done = []
    for number, moment in enumerate(moments):
        trial = _killed(new_trial, moment)
        settled = trial.progress()
        if number > 0:  # the first one waits for the dead run's lease, and nobody for it until the end
            trial.let_leases_expire()
        calls = (0, MOVIES - settled) if settled >= 0 else (1, MOVIES)
        running.append((trial, trial.start(), calls, f"killed {moment}, {settled} settled"))
        if len(running) > AT_ONCE:
            done.append(running.pop(2))
            done[-1][1].wait(TIMEOUT_S)
    expected: dict[str, Any] = {}
    for trial, process, calls, what in running + done:
        assert process.wait(TIMEOUT_S) == 0, f"{what}\n{output.read_text('utf8')}"
        expected = expected or _state(trial)
        assert _state(trial) == expected, what
        assert trial.ask("SELECT tmdb_id FROM works WHERE ingestion_status <> 'complete'") == [], what
        assert trial.calls_of_the_last_run() == calls, f"{what}: it asks for what it has"
        check(trial.url)
    assert len(expected["movies"]) == MOVIES


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_told_to_stop_is_logged_and_gives_its_claims_back(
    new_trial: NewTrial, tmp_path: Path, sent: signal.Signals
) -> None:
    trial = new_trial()
    process = trial.start()
    while trial.progress() < 4 and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(sent)

    assert process.wait(TIMEOUT_S) != 0
    assert trial.ask("SELECT error_message FROM scheduled_ingestion_log") == [("The run was stopped",)], (
        tmp_path / "output"
    ).read_text("utf8")
    assert 0 < trial.progress() < MOVIES
    assert trial.ask("SELECT tmdb_id FROM works WHERE ingestion_status <> 'complete'") == []
    assert trial.ask("SELECT run_id FROM run_leases") == []


def test_five_kills(new_trial: NewTrial, tmp_path: Path, check: Check) -> None:
    _prove(_moments(1, 5), new_trial, tmp_path / "output", check)


@pytest.mark.long
def test_thirty_kills(new_trial: NewTrial, tmp_path: Path, check: Check) -> None:
    _prove(_moments(2, 30), new_trial, tmp_path / "output", check)


@pytest.mark.long
@pytest.mark.parametrize("settled", [-1, 4, 14])
def test_a_run_that_slept_asks_for_nothing_that_others_took_over(
    settled: int, new_trial: NewTrial, tmp_path: Path, check: Check
) -> None:
    trial = new_trial()
    note_writes(trial.engine)
    asleep = trial.stop_at(settled)

    # It waits for the sleeping run's lease: a sleeper notices by the time that has passed.
    assert trial.start().wait(TIMEOUT_S) == 0, (tmp_path / "output").read_text("utf8")
    assert trial.ask("SELECT count(*) FROM works WHERE ingestion_status = 'complete'") == [(MOVIES,)]
    check(trial.url)

    assert psutil.Process(asleep.pid).status() == psutil.STATUS_STOPPED
    os.killpg(asleep.pid, signal.SIGCONT)
    asleep.wait(TIMEOUT_S)
    # What was under way when it fell asleep, by two threads, and what each may have been about to ask.
    asked = trial.ask("SELECT count(*) FROM tmdb_api_logs WHERE tmdb_id IS NOT NULL")
    assert asked[0][0] <= MOVIES + 4
    assert trial.ask("SELECT count(*), count(DISTINCT work_id) FROM writes") == [(MOVIES, MOVIES)]
    assert trial.ask("SELECT run_id FROM run_leases") == []
    check(trial.url)
