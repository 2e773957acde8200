"""The catalogue as a whole."""

from __future__ import annotations

from sqlalchemy import Connection, text

# work_id's foreign keys take everything else of a movie along.
_TABLES = (
    "works",
    "image_inventory",
    "ingest_batches",
    "list_snapshots",
    "scheduled_ingestion_log",
    "score_prior",
    "catalogue_origin",
    "refused_requests",
)


COUNTED = 100_000
"""Rows that are counted; where the database expects more, what it expects is told: counting takes seconds there."""


def count_rows(connection: Connection, table: str) -> int:
    """How many rows a table has: exactly up to about COUNTED, else by the planner's estimate, a few per cent off."""
    plan = connection.scalar(text(f"EXPLAIN (FORMAT JSON) SELECT FROM {table}"))
    expected: int = plan[0]["Plan"]["Plan Rows"]
    if expected > COUNTED:
        return expected
    return connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0  # noqa: S608 - our own names


def empty_catalogue(connection: Connection) -> int:
    """Remove all that came from TMDB; returns how many movies there were."""
    movies = connection.scalar(text("SELECT count(*) FROM works"))
    for table in _TABLES:
        connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - constants
    return movies or 0
