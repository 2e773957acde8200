"""A refresh killed anywhere, again and again, ends as if it had not been killed: every entry once in effect."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from starlette.applications import Starlette

from tmdb_dagster.pipeline.run import open_run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.services.image_server import image_routes
from tmdb_dagster.settings import load_settings
from tmdb_dagster_tests.defs.conftest import StartJob
from tmdb_dagster_tests.defs.job_process import JobProcess
from tmdb_dagster_tests.pipeline.enriching import enriched, some_movies
from tmdb_dagster_tests.serving import serving
from tmdb_dagster_tests.warehouse.database import execute, note_writes, rows, value

MOVIES = 24
POSTER = """
    SELECT source_path FROM image_inventory i JOIN works w USING (work_id)
    WHERE w.tmdb_id = :tmdb_id AND i.key = 'posters/' || work_id || '_large.jpg'
"""
TIMEOUT_S = 120


@pytest.fixture(scope="module")
def changing() -> Iterator[SandboxServer]:
    """A sandbox whose movies may change, slow enough that a kill falls between two steps."""
    with SandboxServer(movies=300) as server:
        yield server


@pytest.fixture
def sandbox(changing: SandboxServer) -> SandboxServer:
    changing.reset()
    changing.faults.add(Fault("/movie/.*", "delay", delay_s=0.15))
    changing.faults.add(Fault("/t/p/.*|/vi/.*", "delay", delay_s=0.02))
    return changing


@pytest.fixture
def variables(settings_environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Images go to a local store, so that a kill may hit their steps as well."""
    folder = tmp_path / "images"
    with serving(Starlette(routes=image_routes(folder))) as url:
        monkeypatch.setenv("MOVIE_IMAGES_STORE", "local")
        monkeypatch.setenv("MOVIE_IMAGES_FOLDER", str(folder))
        monkeypatch.setenv("MOVIE_IMAGES_PUBLIC_URL", url)
        monkeypatch.setenv("TMDB_CONCURRENCY", "3")
        yield


class Trial:
    """A catalogue whose movies change at TMDB, round by round, and its refresh."""

    def __init__(self, engine: Engine, start_job: StartJob, sandbox: SandboxServer, movies: list[int]) -> None:
        self.engine = engine
        self._start_job = start_job
        self._sandbox = sandbox
        self._movies = movies
        self.round = 0
        note_writes(engine)

    def change_movies(self) -> None:
        """A day later every movie has changed, and has a new poster."""
        self.round += 1
        execute(self.engine, "UPDATE works SET last_refreshed_at = last_refreshed_at - interval '1 day'")
        for tmdb_id in self._movies:
            self._sandbox.catalogue.touch(tmdb_id, poster=True)

    def start(self) -> JobProcess:
        return self._start_job("daily_refresh", {"ops": {"daily_refresh": {"config": {"batch_size": 6}}}})

    def kill_at(self, steps: int, seconds: float) -> bool:
        """Start, and kill the whole process group so many seconds after so many steps; whether that interrupted it."""
        goal = self.progress() + steps
        process = self.start()
        while self.progress() < goal and process.poll() is None:
            time.sleep(0.005)
        time.sleep(seconds)
        process.kill()
        process.wait()
        execute(self.engine, "UPDATE run_leases SET expires_at = clock_timestamp()")  # what half a minute does
        return process.returncode == -signal.SIGKILL

    def progress(self) -> int:
        """Steps of all runs together: runs begun, entries queued, claimed and ended, images and movies written."""
        return int(
            value(
                self.engine,
                "SELECT (SELECT count(*) FROM run_leases)"
                " + (SELECT count(*) + count(*) FILTER (WHERE status <> 'queued')"
                " + count(*) FILTER (WHERE status = 'completed') FROM refresh_queue)"
                " + (SELECT count(*) FROM writes)"
                " + (SELECT count(*) FROM image_inventory WHERE status = 'stored')",
            )
        )

    def finished(self) -> bool:
        """Whether every movie of the round is refreshed."""
        done = value(self.engine, "SELECT count(*) FROM refresh_queue WHERE status = 'completed'")
        return bool(done == self.round * MOVIES)

    def check(self) -> None:
        """What must hold at the end of a round."""
        assert rows(self.engine, "SELECT DISTINCT status FROM refresh_queue") == [("completed",)]
        # As many entries and fetches as rounds: none was lost, and none was processed twice in effect.
        assert set(rows(self.engine, "SELECT count(*) FROM refresh_queue GROUP BY work_id")) == {(self.round,)}
        assert set(rows(self.engine, "SELECT count(*) FROM writes GROUP BY work_id")) == {(self.round,)}
        assert set(rows(self.engine, "SELECT ingestion_status, claimed_by FROM works")) == {("complete", None)}
        assert rows(self.engine, "SELECT key FROM image_inventory WHERE status <> 'stored'") == []
        for tmdb_id in self._movies:
            path = value(self.engine, POSTER, tmdb_id=str(tmdb_id))
            assert path == self._sandbox.catalogue.movie(tmdb_id).poster_path


@pytest.fixture
def trial(variables: None, engine: Engine, start_job: StartJob, sandbox: SandboxServer) -> Trial:
    movies = some_movies(sandbox, MOVIES)
    with open_run(load_settings(), run_id="first", job="test", origin="tmdb") as run:
        enriched(run, movies)
    return Trial(engine, start_job, sandbox, movies)


def _prove(trial: Trial, kills: int, seed: int, output: Path, check: Callable[[], None]) -> None:
    chance = random.Random(seed)
    killed = interrupted = 0
    while killed < kills:
        trial.change_movies()
        while killed < kills and not trial.finished():
            # Ever further into the work, so that each of its steps is hit some time.
            interrupted += trial.kill_at(chance.choice((0, 1, 2, 5, 10, 20)), chance.uniform(0, 0.25))
            killed += 1
        assert trial.start().wait(TIMEOUT_S) == 0, output.read_text("utf8")
        trial.check()
        check()
    assert interrupted >= kills - trial.round, "the kills came too late"


def test_three_kills(trial: Trial, tmp_path: Path, check: Callable[[], None]) -> None:
    _prove(trial, 3, 1, tmp_path / "output", check)


@pytest.mark.long
def test_thirty_kills(trial: Trial, tmp_path: Path, check: Callable[[], None]) -> None:
    _prove(trial, 30, 2, tmp_path / "output", check)
