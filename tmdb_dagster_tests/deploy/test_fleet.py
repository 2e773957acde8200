"""A deployment whose processes are killed one after another loses no movie, no run's history and no call's log line."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.deploy.fleet import TAKEN, WORKERS, Fleet, fleet_in, until
from tmdb_dagster_tests.warehouse.database import execute, rows, value

pytestmark = [
    pytest.mark.fleet,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed"),
]

MOVIES = 500
LIMIT = "40/10s"
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
A_RUN_S = 180
"""At the limit three runs of a hundred movies each take less."""
ENDED_S = 300
"""A run whose worker died between its launch and its start is failed after start_timeout_seconds, at the next look."""
ALL_S = 1500
ARRIVAL_S = 0.5
"""A call that was sent before a kill has reached the sandbox by then."""

_log = logging.getLogger(__name__)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with (
        SandboxServer(movies=MOVIES, latency_ms=(30, 80), rate_limit=LIMIT) as sandbox,
        fleet_in(tmp_path, sandbox) as fleet,
    ):
        yield fleet


class Trial:
    """Movies that are asked for through the queue, and what is seen on the way to the last of them."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.runs: dict[str, str] = {}
        """Every run that the webserver has ever shown."""
        self.in_flight: dict[str, int] = {}
        """Calls made by each kill for movies that were not written before it."""
        tmdb_ids = fleet.sandbox.catalogue.ids[:MOVIES]
        execute(
            fleet.engine,
            "INSERT INTO works (tmdb_id, title) SELECT id, 'Movie ' || id FROM unnest(CAST(:ids AS text[])) AS id",
            ids=[str(tmdb_id) for tmdb_id in tmdb_ids],
        )
        fleet.run("tmdb-dagster", "refresh", *map(str, tmdb_ids))

    def complete(self) -> int:
        return int(value(self.fleet.engine, "SELECT count(*) FROM works WHERE ingestion_status = 'complete'"))

    def calls(self) -> int:
        """Nothing but movies is asked for."""
        return self.fleet.sandbox.stats.calls

    def look(self) -> None:
        self.runs |= self.fleet.runs()

    def go_on_until(self, movies: int) -> None:
        until(lambda: self.complete() >= movies, f"{movies} movies are complete", ALL_S)

    def kill(self, name: str) -> None:
        until(lambda: self.calls() > self.complete(), "calls are in flight", ALL_S)
        self.look()
        complete = self.complete()
        if name == "postgres":
            self.fleet.kill_postgres()
        else:
            self.fleet.services[self.fleet.worker_at_work() if name == "worker" else name].kill()
        time.sleep(ARRIVAL_S)
        self.in_flight[name] = self.calls() - complete
        _log.info("killed %s with %s calls in flight; runs: %s", name, self.in_flight[name], self.runs)

    def end(self) -> None:
        self.go_on_until(MOVIES)
        until(self.all_runs_ended, "every run has ended", ENDED_S)

    def use_all_workers(self) -> None:
        """Start as many runs as there are processes of workers, and see each worker take some."""
        before = {name: self.fleet.log_of(name) for name in WORKERS}
        self.fleet.start_runs("data_quality", 2 * len(WORKERS))
        until(self.all_runs_ended, "every run has ended", A_RUN_S)
        assert [name for name in WORKERS if TAKEN not in self.fleet.log_of(name)[len(before[name]) :]] == []

    def all_runs_ended(self) -> bool:
        self.look()
        return set(self.runs.values()) <= ENDED


def test_a_deployment_outlives_the_death_of_each_of_its_processes(fleet: Fleet) -> None:
    trial = Trial(fleet)

    trial.go_on_until(40)
    trial.look()
    assert fleet.services["worker-2"].terminate(A_RUN_S) == 0
    trial.look()
    assert "SUCCESS" in trial.runs.values()
    assert "FAILURE" not in trial.runs.values(), "a worker that is told to stop finishes its runs"
    trial.go_on_until(MOVIES // 2)
    for number, name in enumerate(("worker", "daemon", "webserver", "postgres", "redis")):
        trial.go_on_until(MOVIES // 2 + 20 * number)  # on a busy machine a restart takes another hundred
        trial.kill(name)
        until(fleet.webserver_answers, "the webserver answers", 120)
    trial.end()
    trial.use_all_workers()

    # Every movie is complete, and its one entry is ended.
    assert rows(fleet.engine, "SELECT DISTINCT ingestion_status, claimed_by FROM works") == [("complete", None)]
    assert rows(fleet.engine, "SELECT status, count(*), count(DISTINCT work_id) FROM refresh_queue GROUP BY 1") == [
        ("completed", MOVIES, MOVIES)
    ]
    # Only what was in flight at a kill was asked for again, and the limit was kept.
    assert MOVIES <= trial.calls() <= MOVIES + sum(trial.in_flight.values())
    assert fleet.sandbox.stats.violations == 0
    # The log has every call but those that the killed worker had in flight.
    logged = value(fleet.engine, "SELECT count(*) FROM tmdb_api_logs")
    assert trial.calls() - trial.in_flight["worker"] <= logged <= trial.calls()
    assert value(fleet.engine, "SELECT count(DISTINCT tmdb_id) FROM tmdb_api_logs WHERE http_status = 200") == MOVIES
    # Every run that was ever seen, or has logged a call, is still there with its end.
    assert trial.runs == fleet.runs()
    logged_by = rows(fleet.engine, "SELECT DISTINCT metadata ->> 'run_id' FROM tmdb_api_logs")
    assert {run_id for (run_id,) in logged_by} <= trial.runs.keys()
    assert "FAILURE" in trial.runs.values(), "the kills came too late"
    for run_id, status in trial.runs.items():
        # One may have failed before it started.
        told = {"RunStartEvent", "RunSuccessEvent"} if status == "SUCCESS" else {"RunFailureEvent"}
        assert told <= set(fleet.events(run_id)), run_id
    # Each line was written once.
    opened = [line for name in WORKERS for line in fleet.log_of(name).splitlines() if "run opened" in line]
    assert len(opened) == len(set(opened)) == len({line.split("run_id=")[1].split()[0] for line in opened})
    assert "All" in fleet.run("tmdb-dagster", "check").splitlines()[-1]
