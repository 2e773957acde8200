"""Short ways through a refresh, and what it left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any

from sqlalchemy import Engine

from tmdb_dagster.pipeline.outcome import MovieOutcome, Status
from tmdb_dagster.pipeline.refresh import (
    DrainReport,
    DrainRequest,
    RefreshReport,
    RefreshRequest,
    drain_queue,
    refresh_daily,
)
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.pipeline.enriching import ignore
from tmdb_dagster_tests.warehouse.database import execute, rows

StartRun = Callable[..., Run]

MOVIES = 40


def refreshed(run: Run, **request: Any) -> tuple[RefreshReport, dict[int, Status]]:
    """A daily refresh, and what became of each movie that it looked at."""
    outcomes: list[MovieOutcome] = []
    report = refresh_daily(run, RefreshRequest(**request), outcomes.extend)
    return report, {outcome.tmdb_id: outcome.status for outcome in outcomes}


def drained(run: Run, **request: Any) -> DrainReport:
    return drain_queue(run, DrainRequest(**request), ignore)


def age(engine: Engine, tmdb_ids: list[int], days: int = 31) -> None:
    """Let so many days pass for some movies, except for TMDB's changes."""
    execute(
        engine,
        "UPDATE works SET last_refreshed_at = last_refreshed_at - make_interval(days => :days) "
        "WHERE tmdb_id = ANY(:tmdb_ids)",
        tmdb_ids=[str(tmdb_id) for tmdb_id in tmdb_ids],
        days=days,
    )


def queue(engine: Engine) -> dict[str, int]:
    return Counter(row.status for row in rows(engine, "SELECT status FROM refresh_queue"))


def read_changes_until(engine: Engine, day: date) -> None:
    execute(
        engine,
        "INSERT INTO sync_state (sync_type, last_sync_cursor) VALUES ('daily_refresh', :day)",
        day=day.isoformat(),
    )


def make_due(engine: Engine) -> None:
    execute(engine, "UPDATE refresh_queue SET due_at = now()")


def asked(sandbox: SandboxServer) -> tuple[int, int]:
    """How many pages of changes and how many movies the sandbox was asked for."""
    calls = sandbox.stats.by_endpoint
    return calls.get("/movie/changes", 0), calls.get("/movie/{id}", 0)
