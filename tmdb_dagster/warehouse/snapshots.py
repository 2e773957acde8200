"""The snapshots of TMDB's lists: each page that a run fetched is kept, and the history is read from that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from tmdb_dagster.transform.list_movers import ListSnapshot, Place
from tmdb_dagster.warehouse.engine import json_parameter

_NEWEST = text("""
    SELECT run_id, fetched_at FROM list_snapshots
    WHERE source = :source AND (CAST(:before AS timestamptz) IS NULL OR fetched_at <= :before)
    ORDER BY fetched_at DESC LIMIT 1
""")
_PLACES = text("""
    SELECT tmdb_id, title, rank, page, adult, vote_count, original_language FROM list_snapshots
    WHERE run_id = :run_id AND source = :source ORDER BY rank
""")


def save_snapshot(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep a fetched page's rows: mappings of list_snapshots' columns; a repetition changes nothing."""
    connection.execute(
        text("""
            INSERT INTO list_snapshots
            SELECT * FROM jsonb_populate_recordset(NULL::list_snapshots, CAST(:rows AS jsonb))
            ON CONFLICT DO NOTHING
        """),
        {"rows": json_parameter(rows)},
    )


def newest_snapshot(connection: Connection, source: str, *, before: datetime | None = None) -> ListSnapshot | None:
    """The newest snapshot of a list, or the newest that was taken at `before` or earlier."""
    newest = connection.execute(_NEWEST, {"source": source, "before": before}).one_or_none()
    if newest is None:
        return None
    rows = connection.execute(_PLACES, {"run_id": newest.run_id, "source": source})
    places = tuple(
        Place(int(row.tmdb_id), row.title, row.rank, row.page, row.adult, row.vote_count, row.original_language)
        for row in rows
    )
    return ListSnapshot(source, newest.fetched_at, places)
