"""What the operator's report shows, asked of the catalogue; report/ draws it."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from tmdb_dagster.pipeline.discover import SOURCES
from tmdb_dagster.rate_limit import RateLimit
from tmdb_dagster.report.ops_report import DAYS, ListChange, OpsData
from tmdb_dagster.transform.list_movers import list_movers
from tmdb_dagster.warehouse.health import calls_by_endpoint, calls_hourly, failures, last_runs, read_health
from tmdb_dagster.warehouse.snapshots import newest_snapshot

RUNS = 30
"""Ingests and daily refreshes; drains of the queue come by the hour."""

_A_WEEK = timedelta(days=6)
"""The lists are fetched weekly, and not at the same second."""


def ops_data(connection: Connection, rate_limit: RateLimit | None) -> OpsData:
    """Ask the catalogue."""
    return OpsData(
        read_health(connection, rate_limit),
        [run for run in last_runs(connection, each=RUNS) if run.kind != "drain"][:RUNS],
        failures(connection),
        calls_by_endpoint(connection, "7 days"),
        calls_hourly(connection, hours=24 * DAYS),
        [change for source in SOURCES["all"] if (change := _list_change(connection, source)) is not None],
    )


def _list_change(connection: Connection, source: str) -> ListChange | None:
    now = newest_snapshot(connection, source)
    if now is None:
        return None
    week_ago = newest_snapshot(connection, source, before=now.fetched_at - _A_WEEK)
    before = week_ago or newest_snapshot(connection, source, before=now.fetched_at - timedelta(seconds=1))
    if before is None:
        return ListChange(now, None, [])
    return ListChange(now, before.fetched_at, list_movers(before.places, now.places))
