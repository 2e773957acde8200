"""Which movies the owner keeps out of the catalogue."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, text

IS_EXCLUDED = "EXISTS (SELECT FROM excluded_movies x WHERE x.tmdb_id = {tmdb_id})"
"""Whether a movie is kept out; to be formatted with the column that names it."""

_EXCLUDE = text("""
    INSERT INTO excluded_movies AS x (tmdb_id, reason)
    SELECT tmdb_id, :reason FROM unnest(CAST(:tmdb_ids AS text[])) AS t(tmdb_id) ORDER BY tmdb_id
    ON CONFLICT (tmdb_id) DO UPDATE SET reason = coalesce(EXCLUDED.reason, x.reason)
""")
# One that a run processes is ended by the run.
_END_ENTRIES = text("""
    UPDATE refresh_queue SET status = 'completed', processed_at = clock_timestamp(), note = 'excluded by the owner'
    WHERE status = 'queued' AND work_id IN (SELECT work_id FROM works WHERE tmdb_id = ANY(:tmdb_ids))
""")
_INCLUDE = text("DELETE FROM excluded_movies WHERE tmdb_id = ANY(:tmdb_ids) RETURNING tmdb_id")
_FORGET_REFUSALS = text("DELETE FROM refused_requests WHERE tmdb_id = ANY(:tmdb_ids)")


def excluded_among(connection: Connection, tmdb_ids: Collection[int]) -> set[int]:
    """Which of these movies are kept out."""
    rows = connection.scalars(
        text("SELECT tmdb_id FROM excluded_movies WHERE tmdb_id = ANY(:tmdb_ids)"), _ids(tmdb_ids)
    )
    return {int(tmdb_id) for tmdb_id in rows}


def exclude(connection: Connection, tmdb_ids: Collection[int], reason: str | None) -> None:
    """Keep movies out from now on; what is there of them stays. Without a `reason` an earlier one is kept."""
    connection.execute(_EXCLUDE, {**_ids(tmdb_ids), "reason": reason})
    connection.execute(_END_ENTRIES, _ids(tmdb_ids))


def include(connection: Connection, tmdb_ids: Collection[int]) -> set[int]:
    """Let movies in again, for requests, too; returns which of them were kept out."""
    connection.execute(_FORGET_REFUSALS, _ids(tmdb_ids))
    return {int(tmdb_id) for tmdb_id in connection.scalars(_INCLUDE, _ids(tmdb_ids))}


def _ids(tmdb_ids: Collection[int]) -> dict[str, list[str]]:
    return {"tmdb_ids": [str(tmdb_id) for tmdb_id in tmdb_ids]}
