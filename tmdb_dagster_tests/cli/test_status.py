"""`tmdb-dagster status`."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC
from io import StringIO

import pytest
from click.testing import CliRunner, Result
from rich.console import Console
from sqlalchemy import Engine

from tmdb_dagster.cli.main import main
from tmdb_dagster.cli.status import show
from tmdb_dagster.warehouse.checks import CHECKS
from tmdb_dagster.warehouse.checks.check import find
from tmdb_dagster.warehouse.health import read_health
from tmdb_dagster_tests.warehouse.database import add_work, execute, rows
from tmdb_dagster_tests.warehouse.operated import operate

FIRST = "(SELECT min(work_id) FROM works)"
CALL = "INSERT INTO tmdb_api_logs (endpoint, http_status, error_message, retry_count)"


def status(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["status", *arguments])


def problems() -> dict[str, str]:
    done = status("--json")
    found = json.loads(done.stdout)["problems"]
    assert done.exit_code == (1 if "error" in {one["severity"] for one in found} else 0)
    return {one["name"]: one["text"] for one in found}


def test_an_empty_catalogue_is_fine(settings_environment: dict[str, str]) -> None:
    done = status()

    assert done.exit_code == 0, done.output
    assert "No run yet." in done.output
    assert "The catalogue is empty." in done.output
    assert done.output.endswith("Nothing needs a person.\n")


def test_one_screen_shows_runs_calls_queue_catalogue_images_and_problems(
    settings_environment: dict[str, str], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMDB_RATE_LIMIT", "40/10s")
    operate(engine)

    done = status()

    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert len(lines) < 50, "more than a screen"
    told = " ".join(done.stdout.split())
    for expected in (
        "at most 10 in any 10 seconds, where 40 are allowed",
        "TMDB calls of the last day: 11, ",
        "1 error (9.1%)",
        "1 refused (429)",
        "left by a dead run",
        "5:00:00",
        "Last error: no answer",
        "83.3% of 6 in the store; 0 not tried yet, 1 to be tried again, 0 given up",
        "problem: last_ingest: The last ingest (popular, ",
        "failed: No page of any list Its run in Dagster says what to do.",
        "problem: refreshed_within_six_months: Works older than six months: 1, such as ",
        "warning: images_rehosted: Images that are not in the store: 1 of 6.",
    ):
        assert expected in told, done.stdout
    assert [line for line in lines if "refresh" in line and "succeeded" in line]
    assert all("…" not in line and len(line) <= 80 for line in lines), "80 columns are not enough"


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(("is_terminal", "zone"), [(True, "(EST|EDT)"), (False, "UTC")])
def test_a_terminal_is_told_local_time(is_terminal: bool, zone: str, new_york: None, engine: Engine) -> None:
    operate(engine)
    output = StringIO()

    with engine.begin() as connection:
        health = read_health(connection, None)
    show(health, Console(file=output, force_terminal=is_terminal, no_color=True, width=80))

    told = re.sub("\x1b\\[[0-9;]*m", "", output.getvalue())
    ended = health.runs[0].ended_at.astimezone(None if is_terminal else UTC)
    assert re.search(f"ended, {zone}", told)
    assert f"{ended:%m-%d %H:%M} popular" in told


def test_for_machines_it_is_json(settings_environment: dict[str, str], engine: Engine) -> None:
    operate(engine)

    done = status("--json")

    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert [run["run_id"] for run in told["runs"]] == ["run-3", "run-2", "run-1", None]
    assert (told["rate_limit"], told["calls"]["calls"], told["calls"]["peak"]) == (None, 11, 10)
    assert [(one["name"], one["severity"]) for one in told["problems"]] == [
        ("last_ingest", "error"),
        ("refreshed_within_six_months", "error"),
        ("no_shown_work_gone", "warning"),
        ("images_rehosted", "warning"),
    ]


# What ends the problems of the catalogue that `operate` makes.
_CURES = {
    "last_ingest": "UPDATE scheduled_ingestion_log SET error_message = NULL",
    "refreshed_within_six_months": "UPDATE works SET last_refreshed_at = now() WHERE tmdb_id = '605'",
    "no_shown_work_gone": "UPDATE works SET gone_at = NULL",
    "images_rehosted": "UPDATE image_inventory SET status = 'stored'",
}
# How each comes about, and how it ends.
_CAUSES = {
    "last_refresh": (
        "UPDATE scheduled_ingestion_log SET error_message = 'TMDB is down' WHERE source = 'refresh'",
        "UPDATE scheduled_ingestion_log SET error_message = NULL",
    ),
    "ingested_lately": (
        "INSERT INTO sync_state (sync_type, last_sync_at) VALUES ('scheduled_ingest', now() - interval '9 days')",
        "UPDATE sync_state SET last_sync_at = now() - interval '7 days'",
    ),
    "refreshed_lately": (
        "INSERT INTO sync_state (sync_type, last_sync_at) VALUES ('daily_refresh', now() - interval '3 days')",
        "UPDATE sync_state SET last_sync_at = now() - interval '1 day'",
    ),
    "credentials": (
        f"{CALL} VALUES ('/movie/1', 401, 'no', 0)",
        "DELETE FROM tmdb_api_logs WHERE http_status = 401",
    ),
    "error_rate": (
        f"{CALL} SELECT '/movie/1', 500, 'broken', 0 FROM generate_series(1, 10)",
        "DELETE FROM tmdb_api_logs WHERE error_message = 'broken'",
    ),
    "queue_moves": (
        "UPDATE refresh_queue SET due_at = now() - interval '25 hours' WHERE status = 'queued'",
        "UPDATE refresh_queue SET status = 'completed'",
    ),
    "no_adult_works": (
        "UPDATE works SET adult_since = now(), added_by = 'discovery' WHERE tmdb_id = '603'",
        "UPDATE works SET adult_since = NULL",
    ),
    "no_images_given_up": (
        f"""INSERT INTO image_inventory (key, kind, source_path, source_size, source_at, status)
        SELECT 'more' || n, 'still', '/a.jpg', 'w500', now(), CASE n WHEN 1 THEN 'gave_up' ELSE 'stored' END
        FROM generate_series(1, 20) n; INSERT INTO work_images SELECT {FIRST}, 'more1'""",
        "UPDATE image_inventory SET status = 'stored'",
    ),
    "works_have_all_parts": (
        f"UPDATE works SET missing_parts = '{{credits}}' WHERE work_id = {FIRST}",
        "UPDATE works SET missing_parts = NULL",
    ),
    "no_stuck_works": (
        f"UPDATE works SET ingestion_status = 'ingesting', claimed_by = 'dead' WHERE work_id = {FIRST}",
        f"UPDATE works SET ingestion_status = 'complete', claimed_by = NULL WHERE work_id = {FIRST}",
    ),
    "few_failed_works": (
        """INSERT INTO works (tmdb_id, title, ingestion_status, failures)
        SELECT n, 'A', CASE WHEN n < 5 THEN 'failed' ELSE 'pending' END, 4 FROM generate_series(1, 20) n""",
        "DELETE FROM works WHERE title = 'A'",
    ),
}


def test_each_problem_has_a_name_and_ends_with_its_cause(settings_environment: dict[str, str], engine: Engine) -> None:
    operate(engine)
    assert {*_CURES, *_CAUSES} == {check.name for check in CHECKS.values() if check.cheap}
    assert set(problems()) == set(_CURES)
    for cure in _CURES.values():
        execute(engine, cure)
    assert problems() == {}
    for name, (cause, cure) in _CAUSES.items():
        execute(engine, cause)
        assert set(problems()) == {name}
        assert {row.name: row.text for row in rows(engine, "SELECT name, text FROM v_problems")} == problems()
        execute(engine, cure)
        assert problems() == {}


@pytest.mark.parametrize(
    ("entry", "waits"),
    [
        ("queued_at = now() - interval '2 days', due_at = now() - interval '1 minute'", False),
        ("queued_at = now() - interval '9 days', due_at = now() + interval '1 hour'", False),
        ("queued_at = now() - interval '2 days', due_at = NULL", True),
        ("queued_at = now() - interval '1 minute', due_at = NULL", False),
        ("queued_at = now() - interval '2 days', due_at = now() - interval '2 days'", True),
    ],
)
def test_the_status_and_the_checks_agree(
    entry: str, waits: bool, settings_environment: dict[str, str], engine: Engine
) -> None:
    work_id = add_work(engine, 603)
    execute(engine, "INSERT INTO refresh_queue (work_id) VALUES (:work_id)", work_id=work_id)
    execute(engine, f"UPDATE refresh_queue SET {entry}")

    with engine.begin() as connection:
        checked = find(connection, CHECKS["queue_moves"])

    assert checked.passed is not waits
    assert problems() == ({"queue_moves": checked.text} if waits else {})
    assert {row.name: row.text for row in rows(engine, "SELECT name, text FROM v_problems")} == problems()


def test_movies_that_the_queue_alone_does_not_mend_are_a_problem_but_not_those_that_are_gone(
    settings_environment: dict[str, str], engine: Engine
) -> None:
    for tmdb_id in range(1, 41):
        add_work(engine, tmdb_id, ingestion_status="failed" if tmdb_id <= 30 else "pending")
    execute(engine, "UPDATE works SET failures = CASE WHEN tmdb_id IN ('1', '2', '3') THEN 3 ELSE 1 END")
    assert problems() == {}, "the queue tries them again"

    execute(engine, "UPDATE works SET failures = 4 WHERE failures = 3")

    assert "3 of 40 movies have failed 4 times or more" in problems()["few_failed_works"]

    execute(engine, "UPDATE works SET gone_at = now() WHERE tmdb_id = '1'")

    assert problems() == {}


def test_what_cannot_be_looked_at_is_told_by_the_exit_code(
    settings_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    execute(engine, "UPDATE catalogue_version SET version_num = '0001'")
    assert (status().exit_code, "run `tmdb-dagster migrate`" in status().output) == (2, True)

    monkeypatch.setenv("DATABASE_URL", "postgresql://me:secret-word@127.0.0.1:1/none")
    done = status("--json")
    assert done.exit_code == 2
    assert "cannot be reached" in done.output
    assert "secret-word" not in done.output

    monkeypatch.setenv("TMDB_RATE_LIMIT", "fast")
    assert (status().exit_code, "TMDB_RATE_LIMIT" in status().output) == (2, True)
