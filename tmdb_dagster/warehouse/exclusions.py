"""Which movies the owner keeps out of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

IS_EXCLUDED = "EXISTS (SELECT FROM excluded_movies x WHERE x.tmdb_id = {tmdb_id})"
"""Whether a movie is kept out; to be formatted with the column that names it."""


def excluded_among(connection: Connection, tmdb_ids: Sequence[int]) -> set[int]:
    """Which of these movies are kept out."""
    rows = connection.scalars(
        text("SELECT tmdb_id FROM excluded_movies WHERE tmdb_id = ANY(:tmdb_ids)"),
        {"tmdb_ids": [str(tmdb_id) for tmdb_id in tmdb_ids]},
    )
    return {int(tmdb_id) for tmdb_id in rows}
