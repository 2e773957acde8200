"""The log of ingests: a row for each, whatever became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from tmdb_dagster.warehouse.engine import json_parameter

# What duration_ms can hold: 25 days, and an ingest that was killed may be closed later than that.
_LONGEST_MS = 2**31 - 1


def log_ingest(connection: Connection, *, started_at: datetime, **row: Any) -> None:
    """Write a row of scheduled_ingestion_log; `row` maps its columns."""
    names = ", ".join(row)
    connection.execute(
        text(f"""
            INSERT INTO scheduled_ingestion_log ({names}, duration_ms)
            SELECT {names}, least(extract(epoch FROM clock_timestamp() - :started_at) * 1000, {_LONGEST_MS})
            FROM jsonb_populate_record(NULL::scheduled_ingestion_log, CAST(:row AS jsonb))
        """),  # noqa: S608 - our own names
        {"row": json_parameter(row), "started_at": started_at},
    )


def logged_ingest(connection: Connection, run_id: str) -> dict[str, Any] | None:
    """The run's row of scheduled_ingestion_log, and how many `calls` it made; None where it ended without one."""
    rows = connection.execute(
        text("""
            SELECT *, (SELECT count(*) FROM tmdb_api_logs c WHERE c.metadata ->> 'run_id' = :run_id) AS calls
            FROM scheduled_ingestion_log WHERE run_id = :run_id ORDER BY created_at DESC LIMIT 1
        """),
        {"run_id": run_id},
    )
    row = rows.mappings().one_or_none()
    return None if row is None else dict(row)
