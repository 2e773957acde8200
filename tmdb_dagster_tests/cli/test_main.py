"""The command `tmdb-dagster`, in processes of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from tmdb_dagster.cli import ingest
from tmdb_dagster.cli.main import main
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.life import FIRST_DAY
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.services.postgres import database_url, start_postgres
from tmdb_dagster.services.provide import SANDBOX_NOTICE, stop_services
from tmdb_dagster.settings import REPOSITORY, Settings
from tmdb_dagster.warehouse.engine import HEAD, connect
from tmdb_dagster_tests.cli.conftest import tmdb_dagster
from tmdb_dagster_tests.transcript import PROGRESS, documented, printed
from tmdb_dagster_tests.warehouse.old_system import COMBINED, TMDB_IDS, build_old_system


class Newcomer(NamedTuple):
    """What someone without any setting sees who ingests twice, stops and cleans up."""

    first: subprocess.CompletedProcess[str]
    second: subprocess.CompletedProcess[str]
    works: list[str]
    stop: subprocess.CompletedProcess[str]
    clean: subprocess.CompletedProcess[str]
    state: Path


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Newcomer:
    state = tmp_path_factory.mktemp("home") / "state"
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.model_fields:
            patch.delenv(name.upper(), raising=False)
        patch.chdir(state.parent)
        patch.setenv("TMDB_DAGSTER_STATE", str(state))
        patch.setenv("SANDBOX_DAY", FIRST_DAY.isoformat())
        options = ["ingest", "--source", "popular", "--max-movies", "20", "--pages-per-source", "1"]
        try:
            first, second = tmdb_dagster(*options), tmdb_dagster(*options)
            engine = create_engine(
                database_url(start_postgres(state / "postgres"), "catalogue_sandbox"), poolclass=NullPool
            )
            with engine.begin() as connection:
                works = list(connection.scalars(text("SELECT ingestion_status FROM works")))
            stop = tmdb_dagster("stop")
            clean = tmdb_dagster("clean")
        finally:
            stop_services(state)
    return Newcomer(first, second, works, stop, clean, state)


def _table(output: str) -> dict[str, str]:
    rows = re.findall(r"^│ (.+?) +│ +(\S.*?) │$", output, re.MULTILINE)
    return dict(rows)


def test_a_newcomer_gets_movies_by_one_command(newcomer: Newcomer) -> None:
    assert newcomer.first.returncode == 0, newcomer.first
    assert newcomer.works == ["complete"] * 19
    table = _table(newcomer.first.stdout)
    assert re.fullmatch(r"\d+\.\d s", table.pop("duration"))
    assert table == {
        "movies in TMDB's lists": "20",
        "there already": "0",
        "kept out, such as adult ones": "1",
        "ingested, at most 20 at once": "19",
        "failed": "0",
        "calls to TMDB": "20",
    }


def test_a_newcomer_is_told_of_the_sandbox_and_of_what_comes_next(newcomer: Newcomer) -> None:
    lines = newcomer.first.stdout.splitlines()

    assert lines.count(SANDBOX_NOTICE) == 1
    command = Path(sys.executable).parent / "tmdb-dagster"
    assert lines[-6:] == [
        "Drawing the report on all runs ...",
        f"Next: `{command} ui` opens Dagster's UI. Look there at",
        "  http://127.0.0.1:3000/assets/ops_report  the report: what ran, what is due, and what needs a person",
        "  http://127.0.0.1:3000/assets/movies      the movies, each with its poster and how it was ingested",
        "  http://127.0.0.1:3000/overview           the runs",
        f"`{command} --help` lists the other commands.",
    ]
    assert not [line for line, following in pairwise(lines) if line == following], "no line is said twice"
    assert newcomer.first.stderr == ""


def test_a_newcomer_sees_what_the_page_shows(newcomer: Newcomer) -> None:
    shown, seen = (
        [line for line in lines if line not in PROGRESS]
        for lines in (documented("make ingest"), printed(newcomer.first.stdout))
    )
    assert seen == shown[shown.index(SANDBOX_NOTICE) :]


def test_the_second_ingest_skips_what_is_there(newcomer: Newcomer) -> None:
    assert newcomer.second.returncode == 0, newcomer.second
    table = _table(newcomer.second.stdout)
    assert (table["there already"], table["ingested, at most 20 at once"], table["calls to TMDB"]) == ("19", "0", "1")


def test_stop_names_what_it_stopped(newcomer: Newcomer) -> None:
    assert (newcomer.stop.returncode, newcomer.stop.stdout) == (0, "Stopped: sandbox, Postgres.\n")


def test_clean_leaves_nothing(newcomer: Newcomer) -> None:
    assert (newcomer.clean.returncode, newcomer.clean.stdout) == (0, f"Removed {newcomer.state}.\n")
    assert not newcomer.state.exists()


@pytest.fixture
def tmdb(
    settings_environment: dict[str, str],
    dagster_database: str,
    sandbox: SandboxServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> SandboxServer:
    """The sandbox in TMDB's place, for whoever has a key and databases."""
    monkeypatch.setenv("DAGSTER_DATABASE_URL", dagster_database)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").symlink_to(REPOSITORY / "dagster.yaml")
    return sandbox


def _invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_an_ingest_away_from_a_terminal_prints_plain_lines(
    tmdb: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "_LINE_EVERY_S", 0)
    tmdb.faults.add(Fault("/movie/[0-9]+", "body", body="[]", times=1))
    tmdb.faults.add(Fault("/movie/[0-9]+", "delay", delay_s=0.3))
    tmdb.faults.add(Fault("/movie/popular", "delay", delay_s=1.0))

    result = _invoke("ingest", "--max-movies", "20", "--pages-per-source", "1")

    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
    assert set(PROGRESS) <= set(printed(result.output)) & set(documented("make ingest"))
    done = [int(number) for number in re.findall(r"^Ingesting: (\d+) of 20 movies done$", result.output, re.MULTILINE)]
    assert done == sorted(done)
    assert len(set(done)) > 1
    table = _table(result.output)
    assert (table["ingested, at most 20 at once"], table["failed"]) == ("19", "1")
    assert re.search(r"^failed: .+: /movie/\d+: ", result.output, re.MULTILINE)
    assert SANDBOX_NOTICE not in result.output


def test_an_ingest_that_fails_says_why(tmdb: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMDB_API_KEY", "bad-key")

    result = _invoke("ingest")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: The ingest failed: /movie/popular: TMDB answered 401: Invalid API key")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--source", "weekly"], "source is 'weekly', and must be one of popular, now_playing, trending, all, mixed"),
        (["--max-movies", "0"], "max_movies is 0, and must be 1 or more."),
        (["--pages-per-source", "501"], "pages_per_source is 501, and must be 1 to 500."),
        (["--max-movies", "many"], "'many' is not a valid integer"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_starts(
    options: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMDB_DAGSTER_STATE", str(tmp_path / "state"))

    result = _invoke("ingest", *options)

    assert result.exit_code != 0
    assert message in result.stderr
    assert not (tmp_path / "state").exists()


def test_the_command_itself_loads_neither_what_calls_nor_what_writes() -> None:
    done = tmdb_dagster("--help", PYTHONPROFILEIMPORTTIME="1")

    loaded = set(re.findall(r"([\w.]+)$", done.stderr, re.MULTILINE))
    assert "tmdb_dagster.cli.main" in loaded
    assert not loaded & {"tmdb_dagster.tmdb", "tmdb_dagster.warehouse", "sqlalchemy", "requests"}


def test_an_unreachable_database_is_one_clear_message(tmdb: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://movies:pass-word@127.0.0.1:1/catalogue")

    for command in ("ingest", "migrate"):
        result = _invoke(command)

        assert result.exit_code == 1
        assert result.stderr.startswith("Error: The database at postgresql+psycopg2://movies:***@127.0.0.1:1/catalogue")
        assert result.stderr.count("\n") == 1
        assert "pass-word" not in result.output


def test_a_wrong_setting_is_one_clear_message_and_no_stack_trace() -> None:
    done = tmdb_dagster("migrate", TMDB_CONCURRENCY="many")

    assert done.returncode == 1
    assert done.stderr.startswith("Error: Settings: TMDB_CONCURRENCY: ")
    assert done.stderr.count("\n") == 1


def test_migrate_makes_the_tables_and_may_be_repeated(
    new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", new_database())

    first, second = _invoke("migrate"), _invoke("migrate")
    for result in (first, second):
        assert result.exit_code == 0, result.output
        assert result.stdout.endswith(f" is at revision {HEAD}.\n")
    assert re.search(r"^Migrating \.\.\.\nThat took \d+\.\d s\.$", first.stdout, re.MULTILINE)
    assert "Migrating" not in second.stdout

    engine = create_engine(os.environ["DATABASE_URL"], poolclass=NullPool)
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM works")) == 0


@pytest.mark.parametrize("schema", ["public", "movies"])
def test_a_dry_run_prints_a_script_that_does_what_migrate_would(
    schema: str, new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", new_database())
    monkeypatch.setenv("DATABASE_SCHEMA", schema)
    engine = create_engine(os.environ["DATABASE_URL"], poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
    old = connect(os.environ["DATABASE_URL"], schema=schema)
    build_old_system(old, TMDB_IDS, *COMBINED)
    old.dispose()

    result = _invoke("migrate", "--dry-run")

    assert result.exit_code == 0, result.output
    found, *said = result.stdout.partition("\n\n")[0].splitlines()
    assert found.startswith("-- Found: tables of another program: aggregates, ")
    assert said, "what a person should know stands before a thousand lines of SQL"
    assert all(line.startswith("-- Note: ") for line in said)
    assert "-- Note: " not in result.stdout.partition("\n\n")[2]
    with engine.connect() as connection:
        for statement in re.sub(r"^--.*\n|^(BEGIN|COMMIT);\n", "", result.stdout, flags=re.MULTILINE).split("\n\n"):
            if statement.strip():
                connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
    again = _invoke("migrate", "--dry-run").stdout.splitlines()
    assert again[0] == f"-- Found: revision {HEAD}."
    assert all(line.startswith("-- Note: Searches by title") for line in again[1:]), "this Postgres may lack pg_trgm"


def test_a_dry_run_says_what_is_refused(new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", new_database())
    engine = create_engine(os.environ["DATABASE_URL"], poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE VIEW works AS SELECT 1 AS work_id"))

    result = _invoke("migrate", "--dry-run")

    assert result.exit_code == 1
    assert "-- Refused: works is a view" in result.stdout


@pytest.mark.parametrize("made", ["CREATE TABLE users (id int)", "CREATE TABLE works (work_id uuid, title text)"])
def test_without_a_key_an_ingest_leaves_a_database_of_others_alone(
    made: str, new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", new_database())
    monkeypatch.setenv("MOVIE_IMAGES_STORE", "none")
    monkeypatch.setenv("TMDB_DAGSTER_STATE", str(tmp_path / "state"))
    engine = create_engine(os.environ["DATABASE_URL"], poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(made))

    try:
        result = _invoke("ingest")
    finally:
        stopped = stop_services(tmp_path / "state")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: DATABASE_URL names a database that is not empty (it has ")
    assert stopped == ["sandbox"], "no embedded Postgres"
    with engine.begin() as connection:
        tables = connection.scalars(text("SELECT relname FROM pg_stat_user_tables")).all()
    assert len(tables) == 1


def test_stop_where_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMDB_DAGSTER_STATE", str(tmp_path / "state"))

    result = _invoke("stop")

    assert (result.exit_code, result.output) == (0, "Nothing was running.\n")


def test_ctrl_c_ends_the_ingest_and_leaves_nothing_half_done(tmdb: SandboxServer, engine: Engine) -> None:
    tmdb.faults.add(Fault("/movie/[0-9]+", "delay", delay_s=0.3))
    command = [str(Path(sys.executable).parent / "tmdb-dagster"), "ingest", "--max-movies", "50"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True) as process:
        while process.poll() is None and not _settled(engine):
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it
        output, _ = process.communicate(timeout=60)

    assert process.returncode == 1, output
    assert output.endswith(b"Aborted!\n")
    with engine.begin() as connection:
        statuses = connection.scalars(text("SELECT DISTINCT ingestion_status FROM works")).all()
        (log,) = connection.execute(text("SELECT movies_ingested, error_message FROM scheduled_ingestion_log")).all()
        leases = connection.scalar(text("SELECT count(*) FROM run_leases"))
    assert statuses == ["complete"]
    assert 0 < log.movies_ingested < 50
    assert log.error_message
    assert leases == 0


def _settled(engine: Engine) -> int:
    with engine.begin() as connection:
        return int(connection.scalar(text("SELECT count(outcome) FROM ingest_candidates")) or 0)
