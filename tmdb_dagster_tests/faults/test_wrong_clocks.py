"""The machine's clock, or the database's, is wrong for whole runs, and then right again."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import Settings
from tmdb_dagster_tests.faults.conftest import LIMIT, assert_complete, ingest, refresh
from tmdb_dagster_tests.pipeline.test_clocks import clock_ahead, read_until, today
from tmdb_dagster_tests.warehouse.database import execute, note_writes, value

__all__ = ["clock_ahead"]

HOUR = "interval '1 hour'"
NOTED = {
    "works": "last_refreshed_at",
    "works_meta": "fetched_at",
    "movie_responses": "fetched_at",
    "list_snapshots": "fetched_at",
    "scheduled_ingestion_log": "created_at",
    "tmdb_api_logs": "created_at",
}


def _set_back(engine: Engine) -> None:
    """What a database's clock that is set back an hour leaves: what was noted until then lies an hour ahead."""
    for table, column in NOTED.items():
        execute(engine, f"UPDATE {table} SET {column} = {column} + {HOUR}")
    permits = f"permits = ARRAY(SELECT moment + {HOUR} FROM unnest(permits) AS moment)"
    execute(engine, f"UPDATE rate_limits SET granted_at = granted_at + {HOUR}, {permits}")


def _an_hour_later(engine: Engine) -> None:
    """What was not written since lies in the past."""
    for table, column in NOTED.items():
        execute(engine, f"UPDATE {table} SET {column} = {column} - {HOUR} WHERE {column} > now()")


@pytest.mark.usefixtures("clock_ahead")
def test_runs_of_a_machine_three_days_ahead(
    settings: Settings, engine: Engine, sandbox: SandboxServer, check: Callable[[], None]
) -> None:
    limited = settings.model_copy(update={"tmdb_rate_limit": LIMIT})
    note_writes(engine)
    ingest(limited, "run-1")
    assert_complete(engine, 1)
    check()
    execute(engine, "UPDATE works SET last_refreshed_at = last_refreshed_at - interval '40 days'")
    refresh(limited, "run-2")

    assert_complete(engine, 2)
    assert read_until(engine) == today(engine)
    check()


def test_a_database_whose_clock_is_set_back_an_hour(
    settings: Settings, engine: Engine, sandbox: SandboxServer, check: Callable[[], None]
) -> None:
    limited = settings.model_copy(update={"tmdb_rate_limit": LIMIT})
    note_writes(engine)
    ingest(limited, "run-1")
    execute(engine, "UPDATE works SET last_refreshed_at = last_refreshed_at - interval '40 days'")
    _set_back(engine)
    assert value(engine, "SELECT granted_at > now() + interval '50 minutes' FROM rate_limits")
    start = time.monotonic()

    refresh(limited, "run-2")

    assert time.monotonic() - start < 60, "no permit is an hour away"
    assert_complete(engine, 2)
    assert value(engine, "SELECT max(last_refreshed_at) <= now() FROM works")
    _an_hour_later(engine)
    check()
