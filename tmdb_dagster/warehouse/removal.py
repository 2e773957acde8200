"""Removes single movies with everything that hangs on them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, text

from tmdb_dagster.warehouse.claims import LIVE_CLAIM
from tmdb_dagster.warehouse.leases import lease_lives
from tmdb_dagster.warehouse.tables import metadata

_TABLES = sorted(table.name for table in metadata.tables.values() if "work_id" in table.columns)
# Cast photos are shared: those go that nobody else shows.
_KEYS = """
    SELECT i.key FROM image_inventory i WHERE i.work_id = {work_id} OR EXISTS (
        SELECT FROM work_images l WHERE l.key = i.key AND l.work_id = {work_id}
    ) AND NOT EXISTS (SELECT FROM work_images o WHERE o.key = i.key AND o.work_id <> {work_id})
"""
_WHAT_GOES = text(f"""
    SELECT w.tmdb_id, w.title, w.year,
        {" + ".join(f"(SELECT count(*) FROM {name} t WHERE t.work_id = w.work_id)" for name in _TABLES)} AS rows,
        (SELECT count(*) FROM ({_KEYS.format(work_id="w.work_id")}) AS k) AS files
    FROM works w WHERE w.tmdb_id = ANY(:tmdb_ids) ORDER BY w.title
""")  # noqa: S608 - our own names
_LOCK = text(f"SELECT w.work_id, {LIVE_CLAIM} AS busy, w.claimed_by FROM works w WHERE tmdb_id = :tmdb_id FOR UPDATE")  # noqa: S608
_LOCK_IMAGES = text("""
    SELECT FROM image_inventory i
    WHERE i.work_id = :work_id OR i.key IN (SELECT l.key FROM work_images l WHERE l.work_id = :work_id)
    ORDER BY i.key FOR UPDATE
""")
# Asked under the lock: another movie may have begun to show a photo while that was waited for.
_DOOMED_IMAGES = text(f"""
    SELECT i.key, CASE WHEN {lease_lives("i.claimed_by")} THEN i.claimed_by END AS fetched_by
    FROM image_inventory i WHERE i.key IN ({_KEYS.format(work_id=":work_id")})
""")  # noqa: S608 - our own names


@dataclass(frozen=True)
class Doomed:
    """A movie that is to go: how many rows of all tables, and how many files in the store."""

    tmdb_id: int
    title: str
    year: int | None
    rows: int
    files: int


def may_remove(connection: Connection) -> bool:
    """Whether this role may remove movies: the owner of the tables may."""
    return bool(connection.scalar(text("SELECT has_table_privilege('works', 'DELETE')")))


def what_goes(connection: Connection, tmdb_ids: Collection[int]) -> list[Doomed]:
    """What there is of these movies."""
    rows = connection.execute(_WHAT_GOES, {"tmdb_ids": [str(tmdb_id) for tmdb_id in tmdb_ids]})
    return [Doomed(int(row.tmdb_id), row.title, row.year, row.rows, row.files) for row in rows]


def remove_work(connection: Connection, tmdb_id: int) -> tuple[str | None, list[str] | None]:
    """Remove a movie's rows, unless a live run works on it, or fetches an image that would go with it.

    Returns that run (None: there is none), and the keys of the images that nobody shows any more (None: there was no
    such movie, or it stays). Until the transaction ends nobody else can want them.
    """
    work = connection.execute(_LOCK, {"tmdb_id": str(tmdb_id)}).one_or_none()
    if work is None:
        return None, None
    if work.busy:
        return work.claimed_by, None
    of_work = {"work_id": work.work_id}
    connection.execute(_LOCK_IMAGES, of_work)
    doomed = connection.execute(_DOOMED_IMAGES, of_work).all()
    if fetched_by := next((image.fetched_by for image in doomed if image.fetched_by), None):
        return fetched_by, None
    keys = [image.key for image in doomed]
    connection.execute(text("DELETE FROM works WHERE work_id = :work_id"), of_work)
    connection.execute(text("DELETE FROM image_inventory WHERE key = ANY(:keys)"), {"keys": keys})
    return None, keys
