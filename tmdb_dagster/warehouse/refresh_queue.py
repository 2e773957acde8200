"""The refresh queue: what waits, who processes it, and how it ended.

    queued ──claim──► processing ──► completed
      ▲                   │    └───► failed        after MAX_RETRIES retries
      └── retry, busy, its run died, asked for once more meanwhile

An entry is claimed by one statement that skips what others are claiming. The claim counts while its run's lease lives
(leases.py), so one renewal keeps all claims of a run, and what a dead run left comes back by itself. An entry is ended
in the transaction that writes its movie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, text

from tmdb_dagster.warehouse.claims import HAS_TMDB_ID
from tmdb_dagster.warehouse.engine import json_parameter
from tmdb_dagster.warehouse.exclusions import IS_EXCLUDED
from tmdb_dagster.warehouse.leases import lease_lives
from tmdb_dagster.warehouse.sync_state import move_position, read_position

MAX_RETRIES = 3

REQUESTED = 100
"""The priority of what a person or an app waits for; request_movie.sql gives it, too."""

WALKED_AT_ONCE = 10_000
"""Works that one refresh looks at for whether they lack all data."""

BACKLOG_COUNTED = 10_000
"""Entries that are counted: more are worth no more workers."""

_WALK = "works_without_data"
_LAST_ID = 2**63 - 1
_FIRST_DELAY_S = 5 * 60
_BUSY_DELAY_S = 60

_EXCLUDED = IS_EXCLUDED.format(tmdb_id="w.tmdb_id")
_LIVE = lease_lives("q.claimed_by")
_DUE = "q.status = 'queued' AND (q.due_at IS NULL OR q.due_at <= clock_timestamp())"

# Of several reasons the most urgent counts. What is asked for while it is processed is processed once more: the answer
# that is being written may be from before the change.
_ENQUEUE = """
    INSERT INTO refresh_queue AS q (work_id, priority, reason)
    SELECT work_id, priority, reason FROM ({source}) AS wanted ORDER BY work_id
    ON CONFLICT (work_id) WHERE status IN ('queued', 'processing') DO UPDATE SET
        priority = greatest(q.priority, EXCLUDED.priority),
        reason = CASE WHEN q.priority < EXCLUDED.priority THEN EXCLUDED.reason ELSE q.reason END,
        due_at = CASE WHEN EXCLUDED.reason = 'requested' THEN least(q.due_at, EXCLUDED.due_at) ELSE q.due_at END,
        queued_at = CASE WHEN q.status = 'processing' THEN clock_timestamp() ELSE q.queued_at END
    WHERE q.status = 'processing' OR q.priority < EXCLUDED.priority
"""
_ENQUEUE_STALE = text(_ENQUEUE.format(source="SELECT * FROM stale_works(:limit)"))
# Without works_meta a work is stale, but no index can tell stale_works so. Another system may have left such works: all
# works are walked through, some at a time.
_ENQUEUE_WITHOUT_DATA = text(
    _ENQUEUE.format(
        source="""
        SELECT w.work_id, 80 AS priority, 'schema' AS reason
        FROM (
            SELECT work_id FROM works WHERE work_id > :after AND work_id <= :until
            EXCEPT SELECT work_id FROM works_meta WHERE work_id > :after AND work_id <= :until
        ) AS bare JOIN queueable_works() w USING (work_id)
        WHERE w.last_refreshed_at IS NOT NULL ORDER BY w.work_id LIMIT :limit
        """
    )
)
_WALKED = text(f"""
    SELECT work_id FROM works WHERE work_id > :after ORDER BY work_id OFFSET {WALKED_AT_ONCE} - 1 LIMIT 1
""")  # noqa: S608 - a constant
_ENQUEUE_CHANGED = text(
    _ENQUEUE.format(
        source=f"""
        SELECT work_id, CASE WHEN calculate_staleness_days(release_date) <= 2 THEN 60 ELSE 40 END AS priority,
            'changed' AS reason
        FROM works w
        WHERE tmdb_id = ANY(:tmdb_ids) AND NOT {_EXCLUDED} AND (gone_at IS NULL OR retry_at <= clock_timestamp())
            AND (last_refreshed_at IS NULL OR last_refreshed_at < :refreshed_before)
        """  # noqa: S608 - constants only
    )
)
_ENQUEUE_REQUESTED = text(
    _ENQUEUE.format(
        source=f"""
        SELECT work_id, {REQUESTED} AS priority, 'requested' AS reason FROM works w
        WHERE tmdb_id = ANY(:tmdb_ids) AND NOT {_EXCLUDED}
        """  # noqa: S608 - constants only
    )
)
_ENQUEUE_UNFINISHED = text(
    _ENQUEUE.format(
        source="""
        SELECT w.work_id, 50 AS priority, 'retry' AS reason FROM works w JOIN queueable_works() USING (work_id)
        WHERE coalesce(w.ingestion_status, 'pending') IN ('pending', 'failed') AND w.gone_at IS NULL
        ORDER BY w.retry_at NULLS FIRST LIMIT :limit
        """
    )
)
# An entry of a database that was taken over may name no work. It is ended by the first statement that meets it, since a
# second one in the same transaction would have its foreign key checked.
_HAS_WORK = "EXISTS (SELECT FROM works w WHERE w.work_id = q.work_id)"
_RESCUE = text(f"""
    UPDATE refresh_queue q
    SET status = CASE WHEN {_HAS_WORK} THEN 'queued' ELSE 'completed' END, claimed_by = NULL, claimed_at = NULL,
        last_error = 'The run ' || coalesce(q.claimed_by, 'that was processing it') || ' died'
    WHERE q.id IN (
        SELECT q.id FROM refresh_queue q WHERE q.status = 'processing' AND NOT {_LIVE}
        ORDER BY q.work_id FOR UPDATE SKIP LOCKED
    )
""")  # noqa: S608 - constants only
_CLAIM = text(f"""
    WITH next AS (
        SELECT q.id FROM refresh_queue q WHERE {_DUE}
        ORDER BY q.priority DESC, q.queued_at, q.id LIMIT :limit FOR UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE refresh_queue q
        SET status = CASE WHEN {_HAS_WORK} THEN 'processing' ELSE 'completed' END,
            claimed_by = CASE WHEN {_HAS_WORK} THEN :run_id END, claimed_at = clock_timestamp()
        FROM next WHERE q.id = next.id
        RETURNING q.id, q.work_id, q.priority, q.queued_at
    )
    SELECT c.id::text AS id, CASE WHEN {HAS_TMDB_ID} THEN w.tmdb_id END AS tmdb_id,
        coalesce(w.title, 'TMDB movie ' || w.tmdb_id, '') AS title,
        coalesce(c.queued_at, clock_timestamp()) AS queued_at
    FROM claimed c JOIN works w USING (work_id) ORDER BY c.priority DESC, c.queued_at, c.id
""")  # noqa: S608 - constants only
# In the order of work_id, as those who add lock.
_MINE = """
    SELECT q.id FROM refresh_queue q WHERE q.claimed_by = :run_id AND q.status = 'processing' {condition}
    ORDER BY q.work_id FOR UPDATE
"""
_FINISH = text(f"""
    WITH mine AS MATERIALIZED ({_MINE.format(condition="AND q.id::text = ANY(:ids)")})
    UPDATE refresh_queue q
    SET status = CASE
            WHEN r.result = 'failed' AND coalesce(q.retry_count, 0) >= {MAX_RETRIES} THEN 'failed'
            WHEN r.result = 'completed' AND coalesce(q.queued_at <= q.claimed_at, true) THEN 'completed'
            ELSE 'queued'
        END,
        due_at = CASE r.result
            WHEN 'failed' THEN clock_timestamp() + make_interval(
                secs => {_FIRST_DELAY_S} * 2 ^ coalesce(q.retry_count, 0) * (0.5 + random())
            )
            WHEN 'busy' THEN clock_timestamp() + interval '{_BUSY_DELAY_S} seconds'
            ELSE clock_timestamp()
        END,
        retry_count = CASE r.result
            WHEN 'completed' THEN 0 WHEN 'failed' THEN least({MAX_RETRIES}, coalesce(q.retry_count, 0) + 1)
            ELSE q.retry_count
        END,
        processed_at = clock_timestamp(),
        last_error = CASE WHEN r.result = 'completed' THEN NULL ELSE r.message END,
        note = CASE WHEN r.result = 'completed' THEN r.message END,
        claimed_by = NULL, claimed_at = NULL
    FROM mine, jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id text, result text, message text)
    WHERE q.id = mine.id AND mine.id::text = r.id
    RETURNING r.id, CASE WHEN r.result = 'failed' AND q.status = 'queued' THEN 'retried' ELSE r.result END AS became
""")  # noqa: S608 - constants only
_GIVE_BACK = text(f"""
    WITH mine AS MATERIALIZED ({_MINE.format(condition="")})
    UPDATE refresh_queue q SET status = 'queued', claimed_by = NULL, claimed_at = NULL
    FROM mine WHERE q.id = mine.id
""")  # noqa: S608 - constants only
_COUNTED = "SELECT count(*) FROM (SELECT FROM refresh_queue q WHERE {condition} LIMIT {limit}) AS counted"
_BACKLOG = text(f"""
    SELECT ({_COUNTED.format(condition=_DUE, limit=BACKLOG_COUNTED)})
        + (SELECT count(*) FROM refresh_queue q WHERE q.status = 'processing' AND NOT {_LIVE}) AS due,
        ({_COUNTED.format(condition="q.status IN ('queued', 'processing')", limit=BACKLOG_COUNTED)}) AS open,
        EXISTS (SELECT FROM refresh_queue q WHERE {_DUE} AND q.priority >= {REQUESTED}) AS urgent
""")  # noqa: S608 - constants only

Result = Literal["completed", "failed", "busy"]
"""How a run's processing of an entry ended."""

Became = Literal["completed", "retried", "failed", "busy"]
"""What became of the entry: a failed one is tried again, or had its last try."""


@dataclass(frozen=True)
class Entry:
    """A claimed entry: the movie it asks for (None: the work has no TMDB id), and since when it waits.

    `entry_id` is a text, since ids are numbers in one database and UUIDs in another.
    """

    entry_id: str
    tmdb_id: int | None
    title: str
    queued_at: datetime


@dataclass(frozen=True)
class Ending:
    """How the processing of an entry ended: `message` is the error, or a note on a completed one."""

    result: Result
    message: str | None = None


@dataclass(frozen=True)
class Backlog:
    """What is open: entries in all, and those that a worker could take now; each at most about BACKLOG_COUNTED.

    `urgent`: a person or an app waits for one that is due.
    """

    open: int
    due: int
    urgent: bool


def enqueue_stale(connection: Connection, limit: int) -> int:
    """Queue the most urgent stale works, at most `limit`; returns how many."""
    bare = _enqueue_without_data(connection, limit)
    return bare + connection.execute(_ENQUEUE_STALE, {"limit": limit - bare}).rowcount


def _enqueue_without_data(connection: Connection, limit: int) -> int:
    after = read_position(connection, _WALK)
    end: int | None = connection.scalar(_WALKED, {"after": after})
    walked = {"after": after, "until": _LAST_ID if end is None else end}
    queued = connection.execute(_ENQUEUE_WITHOUT_DATA, {**walked, "limit": limit}).rowcount
    if queued < limit:
        move_position(connection, _WALK, end or 0)
    return queued


def enqueue_changed(connection: Connection, tmdb_ids: Sequence[int], *, refreshed_before: datetime) -> int:
    """Queue those of the movies that works has and that were last refreshed before this moment; returns how many."""
    parameters = {"tmdb_ids": [str(tmdb_id) for tmdb_id in tmdb_ids], "refreshed_before": refreshed_before}
    return connection.execute(_ENQUEUE_CHANGED, parameters).rowcount


def enqueue_requested(connection: Connection, tmdb_ids: Sequence[int]) -> int:
    """Queue works that a person asks for, ahead of everything; returns how many were queued.

    Those that are excluded, or not in works, are not.
    """
    return connection.execute(_ENQUEUE_REQUESTED, {"tmdb_ids": [str(tmdb_id) for tmdb_id in tmdb_ids]}).rowcount


def enqueue_unfinished(connection: Connection, limit: int) -> int:
    """Queue works that are pending or failed and whose delay is over; returns how many."""
    return connection.execute(_ENQUEUE_UNFINISHED, {"limit": limit}).rowcount


def rescue_entries(connection: Connection) -> int:
    """Queue again what dead runs were processing; returns how many."""
    return connection.execute(_RESCUE).rowcount


def claim_entries(connection: Connection, run_id: str, limit: int) -> list[Entry]:
    """Claim the most urgent due entries for a run, those of dead runs included."""
    rescue_entries(connection)
    rows = connection.execute(_CLAIM, {"run_id": run_id, "limit": limit})
    return [Entry(row.id, row.tmdb_id and int(row.tmdb_id), row.title, row.queued_at) for row in rows]


def finish_entries(connection: Connection, run_id: str, endings: Mapping[str, Ending]) -> dict[str, Became]:
    """End this run's claims, by entry id; returns what became of each.

    A claim that another run has taken over is left to it.
    """
    rows = [{"id": entry_id, **vars(ending)} for entry_id, ending in endings.items()]
    found = connection.execute(_FINISH, {"run_id": run_id, "ids": list(endings), "rows": json_parameter(rows)})
    return {row.id: row.became for row in found}


def give_back_entries(connection: Connection, run_id: str) -> None:
    """Queue again what this run claimed and did not finish."""
    connection.execute(_GIVE_BACK, {"run_id": run_id})


def backlog(connection: Connection) -> Backlog:
    """How much is open."""
    row = connection.execute(_BACKLOG).one()
    return Backlog(row.open, row.due, row.urgent)
