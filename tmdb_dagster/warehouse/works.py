"""The works of the catalogue: which of them there are, and how far they have come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from tmdb_dagster.warehouse.claims import HAS_TMDB_ID, LIVE_CLAIM, Target
from tmdb_dagster.warehouse.engine import json_parameter

_UNFINISHED = f"w.gone_at IS NULL AND coalesce(w.ingestion_status, 'pending') <> 'complete' AND NOT {LIVE_CLAIM}"

_LATE = "10 minutes"

Refreshed = tuple[str, int]
"""A place in the order of refreshes: the moment, and the work_id among those of one moment."""


def first_refresh(connection: Connection) -> datetime | None:
    """When the work that has waited longest was last refreshed; None where none ever was."""
    moment: datetime | None = connection.scalar(text("SELECT min(last_refreshed_at) FROM works"))
    return moment


def page_of_works(connection: Connection, *, unfinished: bool, limit: int, offset: int) -> tuple[int, list[Target]]:
    """How many works TMDB can know, and a page of them; `unfinished`: those alone that are not complete."""
    selected = f"{HAS_TMDB_ID} AND {_UNFINISHED}" if unfinished else HAS_TMDB_ID
    total = connection.scalar(text(f"SELECT count(*) FROM works w WHERE {selected}"))  # noqa: S608 - constants
    rows = connection.execute(
        text(f"""
            SELECT tmdb_id, coalesce(title, 'TMDB movie ' || tmdb_id) AS title FROM works w WHERE {selected}
            ORDER BY work_id LIMIT :limit OFFSET :offset
        """),  # noqa: S608 - constants only
        {"limit": limit, "offset": offset},
    )
    return total or 0, [Target(int(row.tmdb_id), row.title, added_by=None) for row in rows]


_ADD = text("""
    INSERT INTO works AS w (tmdb_id, title, ingestion_status, added_by)
    SELECT tmdb_id, title, 'pending', 'operator'
    FROM jsonb_to_recordset(CAST(:movies AS jsonb)) AS m(tmdb_id text, title text) ORDER BY tmdb_id
    ON CONFLICT (tmdb_id) DO UPDATE SET added_by = 'operator'
        -- A row that another program made, and of which nothing was written, stays told from ours.
        WHERE w.added_by IS NOT NULL OR w.last_refreshed_at IS NOT NULL
""")
_LACKING = text("""
    SELECT tmdb_id FROM works WHERE tmdb_id = ANY(:tmdb_ids) AND ingestion_status IS DISTINCT FROM 'complete'
""")


def add_works(connection: Connection, titles: Mapping[int, str]) -> set[int]:
    """Make rows of the movies that works lacks, by a person's word; returns which of them are not complete."""
    movies = [{"tmdb_id": str(tmdb_id), "title": title} for tmdb_id, title in titles.items()]
    connection.execute(_ADD, {"movies": json_parameter(movies)})
    rows = connection.scalars(_LACKING, {"tmdb_ids": [str(tmdb_id) for tmdb_id in titles]})
    return {int(tmdb_id) for tmdb_id in rows}


def known_tmdb_ids(connection: Connection, tmdb_ids: Sequence[int]) -> set[int]:
    """Which of these movies are in works already."""
    rows = connection.scalars(
        text("SELECT tmdb_id FROM works WHERE tmdb_id = ANY(:tmdb_ids)"),
        {"tmdb_ids": [str(tmdb_id) for tmdb_id in tmdb_ids]},
    )
    return {int(tmdb_id) for tmdb_id in rows}


@dataclass(frozen=True)
class Unwritten:
    """A work of which nothing was ever written."""

    work_id: int
    tmdb_id: int
    title: str
    status: str
    error: str | None


def unwritten_after(connection: Connection, work_id: int, limit: int) -> list[Unwritten]:
    """The works that were never refreshed, at most `limit`, from the first one after `work_id` on."""
    rows = connection.execute(
        text(f"""
            SELECT work_id, tmdb_id::int AS tmdb_id, title, coalesce(ingestion_status, 'pending') AS status,
                ingestion_error AS error
            FROM works w WHERE last_refreshed_at IS NULL AND work_id > :work_id AND {HAS_TMDB_ID}
            ORDER BY work_id LIMIT :limit
        """),  # noqa: S608 - constants only
        {"work_id": work_id, "limit": limit},
    )
    return [Unwritten(*row) for row in rows]


def refreshed_since(connection: Connection, after: Refreshed | None, limit: int) -> tuple[list[int], Refreshed | None]:
    """The movies that were refreshed after a place in the order of refreshes (None: all), at most `limit`.

    Also returns from where to go on: not the last minutes, for a transaction may be under way that writes an earlier
    moment.
    """
    moment, work_id = after or ("-infinity", 0)
    rows = connection.execute(
        text(f"""
            SELECT work_id, tmdb_id, {HAS_TMDB_ID} AS known, last_refreshed_at::text AS moment,
                last_refreshed_at > clock_timestamp() - interval '{_LATE}' AS is_late,
                (clock_timestamp() - interval '{_LATE}')::text AS go_on
            FROM works w WHERE (last_refreshed_at, work_id) > (CAST(:moment AS timestamptz), :work_id)
            ORDER BY last_refreshed_at, work_id LIMIT :limit
        """),  # noqa: S608 - constants only
        {"moment": moment, "work_id": work_id, "limit": limit},
    ).all()
    if rows:
        last = rows[-1]
        after = (last.go_on, 0) if last.is_late and len(rows) < limit else (last.moment, last.work_id)
    return [int(row.tmdb_id) for row in rows if row.known], after
