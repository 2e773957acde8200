"""While versions are replaced, runs of either go on: on tables one release ahead, or as soon as they are migrated."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tmdb_dagster.pipeline.ingest import ingest_movie
from tmdb_dagster.pipeline.refresh import DrainReport, DrainRequest, drain_queue
from tmdb_dagster.pipeline.run import Run, open_run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import load_settings
from tmdb_dagster.warehouse import rolling
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster.warehouse.errors import SchemaBehind
from tmdb_dagster.warehouse.leases import leases
from tmdb_dagster.warehouse.migrate import migrate
from tmdb_dagster_tests.pipeline.enriching import ignore, some_movies
from tmdb_dagster_tests.warehouse.database import execute, rows, until, value
from tmdb_dagster_tests.warehouse.test_schema import DUMPED_BEFORE, DUMPS


@pytest.fixture
def released(
    new_database: Callable[..., str], settings_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Engine:
    """The catalogue as the last release made it; the environment leads to it."""
    address = new_database()
    monkeypatch.setenv("DATABASE_URL", address)
    engine = connect(address)
    with engine.begin() as connection:
        connection.exec_driver_sql(DUMPS[-1].read_text(), execution_options={"no_parameters": True})
    engine.dispose()
    return engine


AT_WORK = "SELECT count(*) FROM works WHERE ingestion_status = 'ingesting'"


def test_runs_of_the_version_before_go_on(
    released: Engine,
    start_run: Callable[..., Run],
    later_version: Callable[..., None],
    sandbox: SandboxServer,
) -> None:
    migrate(released)
    released.dispose()
    in_flight = start_run("in flight")
    later_version("ALTER TABLE works ADD COLUMN mood text")
    sandbox.faults.add(Fault("/movie/603", "delay", delay_s=2))

    with ThreadPoolExecutor() as pool:
        ingest = pool.submit(ingest_movie, in_flight, 603)
        until(lambda: value(released, AT_WORK) == 1, "the movie to be asked for")
        migrate(released)
        assert value(released, AT_WORK) == 1
        assert ingest.result().status == "ingested"

    assert value(released, "SELECT version_num FROM catalogue_version") == "0199"
    assert ingest_movie(start_run("started later"), 550).status == "ingested"
    assert rows(released, "SELECT mood, ingestion_status FROM works") == [(None, "complete")] * 2


def test_a_run_on_tables_of_the_release_before_waits_for_the_migration(
    released: Engine, caplog: pytest.LogCaptureFixture
) -> None:

    def ingest() -> str:
        with open_run(load_settings(), run_id="early", job="test", origin="tmdb") as run:
            return ingest_movie(run, 603).status

    with ThreadPoolExecutor() as pool:
        early = pool.submit(ingest)
        until(lambda: value(released, "SELECT count(*) FROM run_leases") == 1, "the run to wait")
        with released.begin() as connection:
            assert leases(connection) == {"early": True}, "nobody takes it for dead"
        migrate(released)
        assert early.result() == "ingested"

    (told,) = [record for record in caplog.records if record.msg == "run waits for the migration"]
    assert f"is at revision {DUMPED_BEFORE}" in vars(told)["reason"]
    assert "run `tmdb-dagster migrate`" in vars(told)["reason"]
    assert rows(released, "SELECT run_id FROM run_leases") == []


def test_a_run_waits_in_vain_for_a_migration_that_nobody_starts(
    released: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling, "MIGRATION_WAIT_S", 0)

    with (
        pytest.raises(SchemaBehind, match="run `tmdb-dagster migrate`") as refused,
        open_run(load_settings(), run_id="early", job="test", origin="tmdb"),
    ):
        pytest.fail("it is not migrated")

    assert not refused.value.permanent, "a schedule's run is started again"
    assert rows(released, "SELECT run_id FROM run_leases") == []


LAST_RELEASE = "33edba8"
"""A commit of the last release's program: one whose schema is the newest dump."""
MOVIES = 300

# The first release's own check admits no other revision than its own, and looks for it in another table.
OLD_PROGRAM = """
import sys
from tmdb_dagster.pipeline.refresh import DrainRequest, drain_queue
from tmdb_dagster.pipeline.run import open_run
from tmdb_dagster.services import catalogue
from tmdb_dagster.settings import load_settings
from tmdb_dagster.warehouse.engine import HEAD

catalogue.check_schema = lambda engine: None
with open_run(load_settings(), run_id=sys.argv[1], job="drain_refresh_queue", origin="tmdb") as run:
    report = drain_queue(run, DrainRequest(max_items=int(sys.argv[2])), lambda outcomes: None)
print(HEAD, report.claimed)
"""


@pytest.mark.long
def test_the_last_releases_program_and_this_one_drain_one_queue_while_it_is_migrated(
    released: Engine,
    sandbox: SandboxServer,
    check: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    unpacked = _last_release(tmp_path / "release")
    monkeypatch.setenv("TMDB_RATE_LIMIT", "100/10s")
    movies = some_movies(sandbox, MOVIES)
    execute(
        released,
        """WITH new AS (INSERT INTO works (tmdb_id, title) SELECT unnest(:ids), 'a title' RETURNING work_id)
        INSERT INTO refresh_queue (work_id) SELECT work_id FROM new""",
        ids=[str(movie) for movie in movies],
    )

    def old_program(run_id: str, most: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", OLD_PROGRAM, run_id, str(most)],
            env={**os.environ, "PYTHONPATH": str(unpacked)},
            cwd=unpacked,
            stdout=subprocess.PIPE,
            text=True,
        )

    def drain() -> DrainReport:
        with open_run(load_settings(), run_id="new", job="drain_refresh_queue", origin="tmdb") as run:
            return drain_queue(run, DrainRequest(max_items=MOVIES), ignore)

    in_flight = old_program("old, in flight", MOVIES)
    with ThreadPoolExecutor() as pool:
        until(lambda: value(released, AT_WORK) > 0 and sandbox.stats.calls > 0, "the old run to be at work")
        waiting = pool.submit(drain)
        until(lambda: value(released, "SELECT count(*) FROM run_leases") == 2, "the new run to wait")
        migrate(released)
        assert value(released, AT_WORK) > 0, "the migration was too late to disturb anybody"
        until(lambda: value(released, "SELECT count(DISTINCT claimed_by) FROM works") == 2, "both to be at work")
        later = old_program("old, started later", 25)
        report = waiting.result()

    claimed = [_claimed(process) for process in (in_flight, later)]
    assert min(*claimed, report.claimed) > 0
    assert sum(claimed) + report.claimed == MOVIES, "each entry was one run's"
    assert rows(released, "SELECT ingestion_status, count(*) FROM works GROUP BY 1") == [("complete", MOVIES)]
    assert rows(released, "SELECT status, count(*) FROM refresh_queue GROUP BY 1") == [("completed", MOVIES)]
    assert sandbox.stats.calls == MOVIES
    assert value(released, "SELECT count(DISTINCT tmdb_id) FROM tmdb_api_logs") == MOVIES
    assert value(released, "SELECT count(*) FROM tmdb_api_logs") == MOVIES
    assert value(released, "SELECT count(*) FROM scheduled_ingestion_log") == 3
    assert sandbox.stats.peak_10s <= 100, "the old and the new run keep one limit"
    assert rows(released, "SELECT run_id FROM run_leases") == []
    check(os.environ["DATABASE_URL"])


def _last_release(folder: Path) -> Path:
    """The program of the last release, out of the history."""
    archive = subprocess.run(
        ["git", "archive", LAST_RELEASE],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
    )
    if archive.returncode:
        pytest.skip(f"the history lacks {LAST_RELEASE}: {archive.stderr.decode().strip()}")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def _claimed(process: subprocess.Popen[str]) -> int:
    """How many entries an old program claimed, once it has ended well."""
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    revision, claimed = output.split()
    assert revision == DUMPED_BEFORE
    return int(claimed)
