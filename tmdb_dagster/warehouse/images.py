"""The image inventory: which images are wanted, which are stored, and who is fetching which.

An image is claimed by one statement, as a movie is, and the claim counts while its run's lease lives: two movies
with one actor never fetch the photo twice, be they of one run or of two.

Whoever learns that a file is there says in the same transaction which work is to show it, and whoever removes a file
locks its row before asking whether anybody shows it. So no file goes that a movie is about to show. Works are locked
before images, and both in the order of their keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from tmdb_dagster.transform.image_plan import WantedImage
from tmdb_dagster.warehouse.engine import json_parameter
from tmdb_dagster.warehouse.leases import lease_lives

MAX_ATTEMPTS = 8
"""After so many failures in a row only a person's repair tries an image again."""

_FIRST_DELAY_S = 30 * 60
_LONGEST_DELAY_S = 24 * 60 * 60

_LIVE = lease_lives("i.claimed_by")
_DUE = """(
    i.status = 'pending' OR (i.status = 'stored' AND i.store IS DISTINCT FROM :store)
    OR (i.status = 'failed' AND (:everything OR i.next_attempt_at <= clock_timestamp()))
    OR (i.status = 'gave_up' AND :everything)
)"""
_IMAGE = "i.key, i.kind, i.work_id, i.person_id, i.source_path, i.source_size, i.source_at"
"""What a WantedImage is made of."""

_RUN = "CAST(:run_id AS text)"
_CHANGED = """(
    (EXCLUDED.source_path, EXCLUDED.source_size) IS DISTINCT FROM (i.source_path, i.source_size)
    AND (EXCLUDED.source_at >= i.source_at OR i.source_at > clock_timestamp())
)"""

# An older answer never changes the source back: movies that share an actor were fetched at different times.
_WANT = text(f"""
    INSERT INTO image_inventory AS i (key, kind, work_id, person_id, source_path, source_size, source_at, claimed_by)
    SELECT key, kind, work_id, person_id, source_path, source_size, source_at, {_RUN}
    FROM jsonb_populate_recordset(NULL::image_inventory, CAST(:images AS jsonb))
    ORDER BY key, source_at
    ON CONFLICT (key) DO UPDATE SET
        source_path = CASE WHEN {_CHANGED} THEN EXCLUDED.source_path ELSE i.source_path END,
        source_size = CASE WHEN {_CHANGED} THEN EXCLUDED.source_size ELSE i.source_size END,
        source_at = CASE WHEN i.source_at > clock_timestamp() THEN EXCLUDED.source_at
            ELSE greatest(i.source_at, EXCLUDED.source_at) END,
        status = CASE WHEN {_CHANGED} THEN 'pending' ELSE i.status END,
        attempts = CASE WHEN {_CHANGED} THEN 0 ELSE i.attempts END,
        claimed_by = {_RUN}
    WHERE NOT {_LIVE} AND ({_CHANGED} OR ({_RUN} IS NOT NULL AND {_DUE}))
    RETURNING {_IMAGE}
""")  # noqa: S608 - constants only
_LOCK_WORK = text("SELECT work_id FROM works WHERE work_id = :work_id FOR KEY SHARE")
# Of the works that show an image, one is enough: while it is there, so is the image.
_LOCK_SHOWING = text("""
    SELECT work_id FROM works
    WHERE work_id IN (SELECT min(work_id) FROM work_images WHERE key = ANY(:keys) GROUP BY key)
    ORDER BY work_id FOR KEY SHARE
""")
_SHOWN = text("SELECT DISTINCT key FROM work_images WHERE key = ANY(:keys) AND work_id = ANY(:work_ids)")
_SHOW = text("""
    INSERT INTO work_images (work_id, key) SELECT :work_id, key FROM unnest(CAST(:keys AS text[])) AS key ORDER BY key
    ON CONFLICT DO NOTHING
""")
_STATES = text(f"""
    SELECT i.key, CASE WHEN i.status = 'stored' AND i.store = :store THEN i.sha256 END AS sha256, {_LIVE} AS busy
    FROM image_inventory i WHERE i.key = ANY(:keys)
""")  # noqa: S608 - constants only
_SETTLE_STORED = text("""
    UPDATE image_inventory i
    SET status = 'stored', store = :store, bytes = r.bytes, width = r.width, height = r.height, sha256 = r.sha256,
        replaced = i.replaced OR coalesce(i.sha256 <> r.sha256, false), attempts = 0, last_error = NULL,
        next_attempt_at = NULL, checked_at = clock_timestamp(), claimed_by = NULL
    FROM jsonb_populate_recordset(NULL::image_inventory, CAST(:rows AS jsonb)) r
    WHERE i.key = r.key AND i.claimed_by = :run_id AND i.source_path = r.source_path
""")
_SETTLE_FAILED = text(f"""
    UPDATE image_inventory i
    SET attempts = i.attempts + r.attempts, last_error = r.last_error, checked_at = clock_timestamp(),
        claimed_by = NULL,
        status = CASE WHEN i.attempts + r.attempts >= {MAX_ATTEMPTS} THEN 'gave_up' ELSE 'failed' END,
        next_attempt_at = CASE WHEN i.attempts + r.attempts < {MAX_ATTEMPTS} THEN clock_timestamp() + make_interval(
            secs => least({_LONGEST_DELAY_S}, {_FIRST_DELAY_S} * 2 ^ greatest(0, i.attempts + r.attempts - 1))
        ) END
    FROM jsonb_populate_recordset(NULL::image_inventory, CAST(:rows AS jsonb)) r
    WHERE i.key = r.key AND i.claimed_by = :run_id AND i.source_path = r.source_path
""")  # noqa: S608 - constants only
_DUE_PAGE = text(f"""
    SELECT {_IMAGE} FROM image_inventory i
    WHERE i.status <> 'stored' AND i.key > :after AND {_DUE} AND NOT {_LIVE}
        AND EXISTS (SELECT FROM work_images l WHERE l.key = i.key)
    ORDER BY i.key LIMIT :limit
""")  # noqa: S608 - constants only
_IS_ORPHAN = f"NOT {_LIVE} AND NOT EXISTS (SELECT FROM work_images l WHERE l.key = i.key)"
# Not at once: what one answer of TMDB's leaves out, the next one often has again.
_LOCK_ORPHANS = text(f"""
    SELECT i.key FROM image_inventory i
    WHERE coalesce(i.checked_at, i.source_at) < clock_timestamp() - interval '1 day' AND {_IS_ORPHAN}
    ORDER BY i.key LIMIT :limit FOR UPDATE SKIP LOCKED
""")  # noqa: S608 - constants only
# Somebody may have begun to show one between the look and the lock.
_ORPHANS = text(f"SELECT i.key FROM image_inventory i WHERE i.key = ANY(:keys) AND {_IS_ORPHAN}")  # noqa: S608
_MARK_MOVED = text("""
    UPDATE image_inventory SET status = 'pending', checked_at = clock_timestamp()
    WHERE status = 'stored' AND store IS DISTINCT FROM :store
""")
_MARK_LOST = text("""
    UPDATE image_inventory
    SET status = 'pending', checked_at = clock_timestamp(), last_error = 'The file was missing from the store'
    WHERE status = 'stored' AND key > :after AND (CAST(:upto AS text) IS NULL OR key <= :upto)
        AND NOT key = ANY(:present) AND checked_at < :listed_at
""")
_BEHIND = text("""
    SELECT tmdb_id FROM works WHERE work_id IN (
        SELECT l.work_id FROM work_images l JOIN image_inventory i USING (key)
        WHERE l.sha256 IS NULL AND i.status = 'stored' AND i.store = :store
        UNION
        SELECT l.work_id FROM work_images l JOIN image_inventory i USING (key)
        WHERE i.replaced AND l.sha256 <> i.sha256 AND i.status = 'stored' AND i.store = :store
        UNION
        SELECT l.work_id FROM work_images l JOIN image_inventory i USING (key)
        WHERE i.status IN ('failed', 'gave_up') AND l.sha256 IS NOT NULL
    ) ORDER BY work_id
""")
_WITHOUT_PLAN = text("""
    SELECT w.tmdb_id FROM works w JOIN movie_responses r USING (work_id)
    WHERE NOT EXISTS (SELECT FROM work_images l WHERE l.work_id = w.work_id)
""")
# Of a file that we once stored and that is lost, the rows show our own URL: that one leads nowhere.
_ADOPTED = text("""
    SELECT DISTINCT ON (work_id, key) work_id, key, url
    FROM (
        SELECT work_id, to_jsonb(m) AS shown FROM works_meta m WHERE work_id = ANY(:work_ids)
        UNION ALL
        SELECT work_id, to_jsonb(c) FROM work_cards_cache c WHERE work_id = ANY(:work_ids)
    ) AS rows, jsonb_path_query(shown, 'strict $.** ? (@.type() == "string")') AS value,
    LATERAL (SELECT value #>> '{}' AS url) AS string,
    LATERAL (SELECT split_part(substr(url, length(:base) + 1), '?', 1) AS key) AS named
    WHERE starts_with(url, :base) AND key = ANY(:keys)
        AND NOT EXISTS (SELECT FROM image_inventory i WHERE i.key = named.key AND i.sha256 IS NOT NULL)
    ORDER BY work_id, key, url
""")
_OF_MOVIE = text(f"""
    SELECT {_IMAGE} FROM works w JOIN work_images l USING (work_id) JOIN image_inventory i USING (key)
    WHERE w.tmdb_id = :tmdb_id ORDER BY i.key
""")  # noqa: S608 - constants only


@dataclass(frozen=True)
class ImageResult:
    """What became of a transfer: a file's figures, or an error. `tried` False: it was not even attempted."""

    image: WantedImage
    bytes: int = 0
    width: int = 0
    height: int = 0
    sha256: str = ""
    error: str | None = None
    tried: bool = True


@dataclass(frozen=True)
class ImageStates:
    """How wanted images stand: the SHA-256 of each in the store, and those that somebody is fetching at this moment."""

    stored: Mapping[str, str]
    busy: frozenset[str]


def claim_images(  # noqa: PLR0913 - by keyword
    connection: Connection,
    run_id: str,
    store: str,
    images: Sequence[WantedImage],
    *,
    shown_by: int | None = None,
    everything: bool = False,
) -> list[WantedImage]:
    """Claim those of `images` that are to be fetched: new, changed, lost, or failed and due (`everything`: at once).

    `shown_by` is the work that is to show all of them from now on. Without one, those that no movie shows any more are
    left out. Returns them as they are to be fetched. What somebody alive is fetching is left out.
    """
    if shown_by is None:
        keys = {"keys": [image.key for image in images]}
        showing = list(connection.scalars(_LOCK_SHOWING, keys))
        shown = set(connection.scalars(_SHOWN, {**keys, "work_ids": showing}))
        return _want(
            connection, run_id, store, [image for image in images if image.key in shown], everything=everything
        )
    if connection.scalar(_LOCK_WORK, {"work_id": shown_by}) is None:
        return []
    claimed = _want(connection, run_id, store, images, everything=everything)
    connection.execute(_SHOW, {"work_id": shown_by, "keys": list({image.key for image in images})})
    return claimed


def register_images(connection: Connection, images: Sequence[WantedImage]) -> None:
    """Note that images are wanted, without fetching them."""
    _want(connection, None, "", images, everything=False)


def _want(
    connection: Connection, run_id: str | None, store: str, images: Sequence[WantedImage], *, everything: bool
) -> list[WantedImage]:
    newest: dict[str, WantedImage] = {}
    for image in images:
        if image.key not in newest or newest[image.key].source_at < image.source_at:
            newest[image.key] = image
    rows = json_parameter([vars(image) for image in newest.values()])
    parameters = {"run_id": run_id, "store": store, "everything": everything, "images": rows}
    return [WantedImage(*row) for row in connection.execute(_WANT, parameters)]


def image_states(connection: Connection, store: str, keys: Sequence[str]) -> ImageStates:
    """Which of these images are in the store, and which are being fetched."""
    rows = connection.execute(_STATES, {"store": store, "keys": list(keys)}).all()
    stored = {row.key: row.sha256 for row in rows if row.sha256 is not None}
    return ImageStates(stored, frozenset(row.key for row in rows if row.busy))


def adopted_urls(
    connection: Connection, base: str, work_ids: Sequence[int], keys: Sequence[str]
) -> dict[int, dict[str, str]]:
    """The URLs below `base` that the works' rows show of the files `keys`, by work_id and key.

    Only of files that we have never stored: another system has, where ours go.
    """
    found: dict[int, dict[str, str]] = {}
    for row in connection.execute(_ADOPTED, {"base": base, "work_ids": list(work_ids), "keys": list(keys)}):
        found.setdefault(row.work_id, {})[row.key] = row.url
    return found


def settle_images(connection: Connection, run_id: str, store: str, results: Sequence[ImageResult]) -> None:
    """End this run's claims on images, as stored or as failed with the time of the next attempt."""
    stored = [
        {
            "key": result.image.key,
            "source_path": result.image.source_path,
            "bytes": result.bytes,
            "width": result.width,
            "height": result.height,
            "sha256": result.sha256,
        }
        for result in results
        if result.error is None
    ]
    failed = [
        {
            "key": result.image.key,
            "source_path": result.image.source_path,
            "attempts": int(result.tried),
            "last_error": result.error,
        }
        for result in results
        if result.error is not None
    ]
    parameters = {"run_id": run_id, "store": store}
    if stored:
        connection.execute(_SETTLE_STORED, {**parameters, "rows": json_parameter(stored)})
    if failed:
        connection.execute(_SETTLE_FAILED, {**parameters, "rows": json_parameter(failed)})


def due_images(connection: Connection, store: str, *, after: str, limit: int, everything: bool) -> list[WantedImage]:
    """The next missing images, in the order of their keys, that a movie shows and that are due."""
    parameters = {"store": store, "after": after, "limit": limit, "everything": everything}
    return [WantedImage(*row) for row in connection.execute(_DUE_PAGE, parameters)]


def orphans(connection: Connection, limit: int) -> list[str]:
    """Images that no movie has shown for a day, locked: nobody wants one of them before the transaction ends."""
    locked = list(connection.scalars(_LOCK_ORPHANS, {"limit": limit}))
    return list(connection.scalars(_ORPHANS, {"keys": locked}))


def forget_images(connection: Connection, keys: Sequence[str]) -> None:
    """Remove images from the inventory."""
    connection.execute(text("DELETE FROM image_inventory WHERE key = ANY(:keys)"), {"keys": list(keys)})


def mark_moved(connection: Connection, store: str) -> int:
    """Note that files which are in another store are wanted in this one; returns how many."""
    return connection.execute(_MARK_MOVED, {"store": store}).rowcount


def mark_lost(
    connection: Connection, present: Sequence[str], *, after: str, upto: str | None, listed_at: datetime
) -> int:
    """Note that files are lost: stored before `listed_at`, within the range of keys, and not `present`."""
    parameters = {"present": list(present), "after": after, "upto": upto, "listed_at": listed_at}
    return connection.execute(_MARK_LOST, parameters).rowcount


def works_behind(connection: Connection, store: str) -> list[int]:
    """TMDB ids of the movies whose rows show TMDB's URL, or an older one of ours, for a file that is stored, or ours
    for one that is lost."""
    return [int(tmdb_id) for tmdb_id in connection.scalars(_BEHIND, {"store": store})]


def works_without_plan(connection: Connection) -> list[int]:
    """TMDB ids of the movies with a stored answer whose images nobody has planned yet."""
    return [int(tmdb_id) for tmdb_id in connection.scalars(_WITHOUT_PLAN)]


def images_of(connection: Connection, tmdb_id: int) -> list[WantedImage]:
    """The images that a movie shows."""
    return [WantedImage(*row) for row in connection.execute(_OF_MOVIE, {"tmdb_id": str(tmdb_id)})]
