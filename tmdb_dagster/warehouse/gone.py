"""Movies that TMDB knows no more: which of them it may have under another id."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, text

from tmdb_dagster.warehouse.exclusions import IS_EXCLUDED
from tmdb_dagster.warehouse.refresh_queue import enqueue_requested

_LONG_GONE = text("""
    SELECT work_id, tmdb_id, imdb_id FROM works
    WHERE tmdb_id = ANY(:tmdb_ids) AND gone_at <= now() - interval '30 days' AND failures >= 3
        AND imdb_id IS NOT NULL AND merged_into IS NULL
    ORDER BY work_id
""")
# The successor is to have the IMDb id, which one work alone can.
_MERGED = text("""
    UPDATE works SET merged_into = :successor, imdb_id = NULL WHERE work_id = :work_id AND gone_at IS NOT NULL
""")
_SUCCESSOR = text(f"""
    INSERT INTO works (tmdb_id, title, ingestion_status, added_by)
    SELECT :tmdb_id, :title, 'pending', 'request' WHERE NOT {IS_EXCLUDED.format(tmdb_id=":tmdb_id")}
    ON CONFLICT (tmdb_id) DO NOTHING
""")


@dataclass(frozen=True)
class GoneWork:
    """A work that TMDB knows no more by its id."""

    work_id: int
    tmdb_id: int
    imdb_id: str


def long_gone(connection: Connection, tmdb_ids: Collection[int]) -> list[GoneWork]:
    """Which of these have been gone for a month and three looks, and have an IMDb id to look for."""
    rows = connection.execute(_LONG_GONE, {"tmdb_ids": [str(tmdb_id) for tmdb_id in tmdb_ids]})
    return [GoneWork(row.work_id, int(row.tmdb_id), row.imdb_id) for row in rows]


def note_merged(connection: Connection, work_id: int, successor: int, title: str) -> None:
    """Say under which id TMDB has the movie now, and queue that one."""
    connection.execute(_MERGED, {"work_id": work_id, "successor": str(successor)})
    connection.execute(_SUCCESSOR, {"tmdb_id": str(successor), "title": title})
    enqueue_requested(connection, [successor])
