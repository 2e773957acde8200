"""Which works there are."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from tmdb_dagster.warehouse.claims import HAS_TMDB_ID


def known_tmdb_ids(connection: Connection, tmdb_ids: Sequence[int]) -> set[int]:
    """Which of these movies are in works already."""
    rows = connection.scalars(
        text("SELECT tmdb_id FROM works WHERE tmdb_id = ANY(:tmdb_ids)"),
        {"tmdb_ids": [str(tmdb_id) for tmdb_id in tmdb_ids]},
    )
    return {int(tmdb_id) for tmdb_id in rows}


def refreshed_tmdb_ids(connection: Connection) -> set[str]:
    """The movies that were ever ingested."""
    return set(
        connection.scalars(
            text(f"SELECT tmdb_id FROM works w WHERE last_refreshed_at IS NOT NULL AND {HAS_TMDB_ID}")  # noqa: S608 - a constant
        )
    )
