"""The snapshots of TMDB's lists, as they were kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from tmdb_dagster.transform.list_movers import Place

_NEWEST = text("""
    SELECT run_id, fetched_at FROM list_snapshots
    WHERE source = :source AND (CAST(:before AS timestamptz) IS NULL OR fetched_at <= :before)
    ORDER BY fetched_at DESC LIMIT 1
""")
_PLACES = text("""
    SELECT tmdb_id, title, rank, page FROM list_snapshots WHERE run_id = :run_id AND source = :source ORDER BY rank
""")


@dataclass(frozen=True)
class ListSnapshot:
    """A list as a run found it."""

    source: str
    fetched_at: datetime
    places: tuple[Place, ...]


def newest_snapshot(connection: Connection, source: str, *, before: datetime | None = None) -> ListSnapshot | None:
    """The newest snapshot of a list, or the newest that was taken at `before` or earlier."""
    newest = connection.execute(_NEWEST, {"source": source, "before": before}).one_or_none()
    if newest is None:
        return None
    places = connection.execute(_PLACES, {"run_id": newest.run_id, "source": source})
    return ListSnapshot(source, newest.fetched_at, tuple(Place(*row) for row in places))
