"""`tmdb-dagster doctor`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from dagster._daemon.types import DaemonHeartbeat
from dagster_postgres import DagsterPostgresStorage
from sqlalchemy import Engine

from tmdb_dagster.cli.main import main
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import REPOSITORY
from tmdb_dagster_tests.seaweed import S3Server
from tmdb_dagster_tests.warehouse.database import value

PARTS = ("SCHEDULER", "SENSOR", "QUEUED_RUN_COORDINATOR")


@pytest.fixture(scope="module")
def dagster_template(database_address: Callable[[str], str], worker_id: str) -> str:
    """A database with Dagster's tables, which take it seconds to make."""
    name = f"template_dagster_{worker_id}"
    assert DagsterPostgresStorage(database_address(name)).run_storage.get_daemon_heartbeats() == {}
    return name


@pytest.fixture
def dagster_url(new_database: Callable[..., str], dagster_template: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of Dagster's database, in which a daemon has just told that it lives."""
    url = new_database(dagster_template)
    monkeypatch.setenv("DAGSTER_DATABASE_URL", url)
    beat(url, time.time())
    return url


def beat(url: str, at: float) -> None:
    storage = DagsterPostgresStorage(url)
    for part in PARTS:
        storage.run_storage.add_daemon_heartbeat(DaemonHeartbeat(at, part, "daemon", []))


def doctor() -> Result:
    return CliRunner().invoke(main, ["doctor"])


def test_the_doctor_is_content(image_store: str, dagster_url: str) -> None:
    done = doctor()

    assert done.exit_code == 0, done.output
    assert [line.split(":")[0] for line in done.output.splitlines()] == ["ok"] * 6


def test_a_bucket_of_logs_that_is_not_there_is_a_problem(
    settings_environment: dict[str, str], dagster_url: str, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        **s3_server.variables("unused"),
        "MOVIE_IMAGES_STORE": "none",
        "COMPUTE_LOGS_BUCKET": s3_server.new_bucket(),
    }
    for name, chosen in given.items():
        monkeypatch.setenv(name, chosen)
    assert f"ok: what runs print goes to s3://{given['COMPUTE_LOGS_BUCKET']}" in doctor().output
    monkeypatch.setenv("COMPUTE_LOGS_BUCKET", "never-made")

    done = doctor()

    assert done.exit_code == 1
    assert "problem: what runs print is lost: s3://never-made cannot be written to" in done.output


def test_the_doctor_names_the_problem_and_the_fix(
    settings_environment: dict[str, str], dagster_url: str, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, chosen in s3_server.variables("never-made").items():
        monkeypatch.setenv(name, chosen)

    done = doctor()

    assert done.exit_code == 1
    assert "problem: s3://never-made" in done.output
    assert "Create it" in done.output


def test_a_refused_key_is_named_after_one_call(
    settings_environment: dict[str, str], dagster_url: str, sandbox: SandboxServer
) -> None:
    sandbox.faults.add(Fault("/configuration", "status", status=401))

    done = doctor()

    assert done.exit_code == 1
    assert "problem: /configuration: " in done.output
    assert "TMDB_API_KEY" in done.output
    assert sandbox.faults.fired == 1


def test_a_daemon_that_is_silent_and_a_schedule_that_is_off_are_problems(
    settings_environment: dict[str, str], dagster_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat(dagster_url, time.time() - 600)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").symlink_to(REPOSITORY / "dagster.yaml")
    dagster = str(Path(sys.executable).parent / "dagster")
    stop = [dagster, "schedule", "stop", "daily_refresh_schedule", "-m", "tmdb_dagster.definitions"]
    subprocess.run(stop, check=True, capture_output=True, cwd=REPOSITORY)

    done = doctor()

    assert done.exit_code == 1
    assert "problem: the daemon has not told for 5 minutes" in done.output
    assert "problem: switched off: daily_refresh_schedule." in done.output


def test_a_daemon_that_was_never_started_is_a_problem_in_production_alone(
    settings_environment: dict[str, str], new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_DATABASE_URL", new_database())

    for environment, finding, code in (("local", "note", 0), ("production", "problem", 1)):
        monkeypatch.setenv("TMDB_DAGSTER_ENV", environment)
        done = doctor()
        assert f"{finding}: the daemon has not told" in done.output
        assert done.exit_code == code, done.output


def test_dagsters_database_is_named_when_it_cannot_be_reached(
    settings_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_DATABASE_URL", "postgresql://dagster:s3cret@127.0.0.1:1/dagster")

    done = doctor()

    assert done.exit_code == 1
    assert "problem: Dagster's database (DAGSTER_DATABASE_URL): " in done.output
    assert "s3cret" not in done.output


@pytest.fixture
def refusal(settings_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What is said where a database is set, and nothing about images."""
    monkeypatch.delenv("MOVIE_IMAGES_STORE")
    return (
        "DATABASE_URL is set, and its movies would get image URLs that only this machine can read: set "
        "MOVIE_IMAGES_STORE=s3 with a bucket, or MOVIE_IMAGES_STORE=none, or MOVIE_IMAGES_FOLDER and "
        "MOVIE_IMAGES_PUBLIC_URL."
    )


def test_urls_that_only_this_machine_can_read_are_named_before_they_are_written(
    refusal: str, dagster_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, migrate, planned, ingest = (
        CliRunner().invoke(main, command.split()) for command in ("doctor", "migrate", "migrate --dry-run", "ingest")
    )

    assert named.exit_code == 1
    assert [line.split(":")[0] for line in named.stdout.splitlines()] == ["ok"] * 5
    assert named.stderr == f"problem: {refusal}\n"
    for done in (migrate, planned):
        assert (done.exit_code, done.stderr) == (0, f"Note: no job can run yet. {refusal}\n")
    assert (ingest.exit_code, ingest.stderr) == (1, f"Error: {refusal}\n")
    assert value(engine, "SELECT count(*) FROM works") == 0

    for name, chosen in {"MOVIE_IMAGES_STORE": "none", "MOVIE_IMAGES_PUBLIC_URL": "https://images.example"}.items():
        with monkeypatch.context() as patch:
            patch.setenv(name, chosen)
            assert doctor().exit_code == 0
