"""Who works on which movie: a claim is taken in one transaction, so that two runs never work on the same one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, text

from tmdb_dagster.transform.admission import Exclusion
from tmdb_dagster.warehouse.engine import json_parameter
from tmdb_dagster.warehouse.exclusions import IS_EXCLUDED
from tmdb_dagster.warehouse.leases import lease_lives

LIVE_CLAIM = f"(w.ingestion_status = 'ingesting' AND {lease_lives('w.claimed_by')})"
"""Whether a run that is alive works on `works w`."""

HAS_TMDB_ID = "w.tmdb_id ~ '^[0-9]+$'"
"""Whether TMDB can know `works w`: a catalogue that was taken over may have works without an id, or with another's."""

# Before the claim, so that it sees what a writer that holds them commits; in the order in which writers lock, by
# work_id, else the two could wait for each other.
_LOCK = text("SELECT FROM works WHERE tmdb_id = ANY(:tmdb_ids) ORDER BY work_id FOR NO KEY UPDATE")
# A row that a dead run's claim made keeps its NULL, so that giving it back removes it.
_CLAIM = text(f"""
    INSERT INTO works AS w (tmdb_id, title, ingestion_status, claimed_by, added_by)
    SELECT tmdb_id, title, 'ingesting', :run_id, added_by
    FROM jsonb_to_recordset(CAST(:movies AS jsonb)) AS m(tmdb_id text, title text, added_by text)
    WHERE (added_by IS NOT NULL OR EXISTS (SELECT FROM works there WHERE there.tmdb_id = m.tmdb_id))
        AND NOT {IS_EXCLUDED.format(tmdb_id="m.tmdb_id")}
    ORDER BY tmdb_id
    ON CONFLICT (tmdb_id) DO UPDATE SET
        ingestion_status = 'ingesting',
        claimed_by = :run_id,
        status_before_claim = CASE
            WHEN w.ingestion_status = 'ingesting' AND w.claimed_by IS NOT NULL THEN w.status_before_claim
            ELSE coalesce(nullif(w.ingestion_status, 'ingesting'), 'pending')
        END,
        -- Only exclusions bind what a person adds. A row that another program made stays told from ours.
        added_by = CASE WHEN EXCLUDED.added_by = 'operator' AND w.added_by IS NOT NULL THEN 'operator'
            ELSE w.added_by END
    WHERE NOT {LIVE_CLAIM}
        AND (
            :force OR w.ingestion_status IS DISTINCT FROM 'complete' OR is_stale(w.work_id)
            OR w.last_refreshed_at <= (CAST(:wanted_since AS jsonb) ->> w.tmdb_id)::timestamptz
        )
    RETURNING work_id
""")  # noqa: S608 - constants only
_KNOWN = text("""
    SELECT w.work_id, w.tmdb_id, w.title, w.year, r.content_hash, m.schema_version, k.etag,
        k.payload_short ->> 'poster' AS poster_url,
        coalesce(w.status_before_claim = 'complete', false) AS was_complete,
        w.last_refreshed_at IS NULL AND w.added_by IN ('discovery', 'request') AS refusable,
        EXISTS (SELECT FROM work_images l WHERE l.work_id = w.work_id) AND NOT EXISTS (
            SELECT FROM work_images l JOIN image_inventory i USING (key)
            WHERE l.work_id = w.work_id AND (
                l.sha256 IS DISTINCT FROM i.sha256 OR i.status <> 'stored' OR i.store <> :store
            )
        ) AS rehosted
    FROM works w
    LEFT JOIN movie_responses r USING (work_id)
    LEFT JOIN works_meta m USING (work_id)
    LEFT JOIN work_cards_cache k USING (work_id)
    WHERE w.work_id = ANY(:work_ids)
""")
_STATE = text(f"""
    SELECT w.tmdb_id, w.work_id, w.title, w.year, w.ingestion_status, w.claimed_by, k.etag,
        k.payload_short ->> 'poster' AS poster_url,
        {LIVE_CLAIM} AS busy
    FROM works w LEFT JOIN work_cards_cache k USING (work_id)
    WHERE w.tmdb_id = ANY(:tmdb_ids)
""")  # noqa: S608 - constants only
_LOST = text(f"""
    SELECT l.work_id, w.work_id IS NOT NULL AS there, {IS_EXCLUDED.format(tmdb_id="w.tmdb_id")} AS excluded
    FROM unnest(CAST(:work_ids AS bigint[])) AS l(work_id) LEFT JOIN works w USING (work_id)
""")  # noqa: S608 - constants only
# An hour after the first failure, then after twice as long each time; a movie that is gone is looked for once a month.
_LONGEST_DELAY_S = 30 * 24 * 60 * 60
_FAIL = text(f"""
    UPDATE works w
    SET ingestion_status = 'failed', ingestion_error = f.error, claimed_by = NULL, status_before_claim = NULL,
        gone_at = CASE WHEN f.gone THEN coalesce(w.gone_at, clock_timestamp()) ELSE w.gone_at END,
        failures = w.failures + 1,
        retry_at = clock_timestamp() + make_interval(secs => CASE
            WHEN f.gone THEN {_LONGEST_DELAY_S} ELSE least({_LONGEST_DELAY_S}, 3600 * 2 ^ least(w.failures, 30))
        END)
    FROM jsonb_to_recordset(CAST(:failures AS jsonb)) AS f(work_id bigint, error text, gone boolean)
    WHERE w.work_id = f.work_id AND w.claimed_by = :run_id
""")  # noqa: S608 - constants only
# Both statements see the works as they were before the removal.
_REMOVE_REFUSED = text("""
    WITH given AS (
        SELECT * FROM jsonb_to_recordset(CAST(:works AS jsonb)) AS g(work_id bigint, reason text)
    ), removed AS MATERIALIZED (
        SELECT u.work_id
        FROM remove_unknown_works(CAST(:run_id AS text), ARRAY(SELECT work_id FROM given)) AS u(work_id)
    ), remembered AS (
        INSERT INTO refused_requests AS r (tmdb_id, reason, refused_at)
        SELECT w.tmdb_id, g.reason, clock_timestamp()
        FROM removed JOIN given g USING (work_id) JOIN works w USING (work_id) ORDER BY w.tmdb_id
        ON CONFLICT (tmdb_id) DO UPDATE SET reason = EXCLUDED.reason, refused_at = EXCLUDED.refused_at
    )
    SELECT work_id FROM removed
""")
# Rows that a claim made go, those that were there are as they were.
_REMOVE_UNFINISHED = text("SELECT remove_unfinished_works(CAST(:run_id AS text))")
_GIVE_BACK = """UPDATE works w
    SET ingestion_status = coalesce(status_before_claim, 'pending'), claimed_by = NULL, status_before_claim = NULL
    WHERE """
# What another system left `ingesting`: nobody says who is at it.
_GIVE_BACK_UNCLAIMED = text("""
    UPDATE works SET ingestion_status = 'pending' WHERE ingestion_status = 'ingesting' AND claimed_by IS NULL
""")
_OF_THIS_RUN = "w.claimed_by = :run_id"
# Whoever has such a row locked is taking it over.
_OF_DEAD_RUNS = f"""w.work_id IN (
    SELECT w.work_id FROM works w WHERE w.claimed_by IS NOT NULL AND NOT {LIVE_CLAIM} FOR UPDATE SKIP LOCKED
)"""  # noqa: S608 - constants only


AddedBy = Literal["discovery", "request", "operator"]
"""How a movie came into works."""


@dataclass(frozen=True)
class Target:
    """A movie to ingest: its TMDB id, and a title to go by until TMDB has told it.

    Where works does not have it, it is `added_by` somebody; None: then it is not to be ingested. `entry_id` is the
    entry of the refresh queue that asks for it. With `wanted_since` it is due, too, if it was not refreshed after that
    moment.
    """

    tmdb_id: int
    title: str
    added_by: AddedBy | None = "operator"
    entry_id: str | None = None
    wanted_since: datetime | None = None


@dataclass(frozen=True)
class Claim:
    """A movie that this run may work on, and what is stored of it (None: nothing)."""

    work_id: int
    tmdb_id: int
    title: str
    year: int | None
    etag: str | None
    poster_url: str | None
    content_hash: str | None
    schema_version: int | None
    rehosted: bool
    """Whether all of its images are in the store, and its rows show them."""
    was_complete: bool
    """Whether the work was complete before the claim."""
    refusable: bool
    """Whether the settings may keep it out: it is new, and no person has added it."""


@dataclass(frozen=True)
class WorkState:
    """A work as it stands."""

    tmdb_id: int
    work_id: int
    title: str
    year: int | None
    status: Literal["pending", "ingesting", "complete", "failed"] | None
    busy: bool
    claimed_by: str | None
    etag: str | None
    poster_url: str | None


@dataclass(frozen=True)
class Failure:
    """Why a claimed movie could not be ingested; `gone`: TMDB knows it no more."""

    work_id: int
    error: str
    gone: bool


def claim(
    connection: Connection, run_id: str, targets: Sequence[Target], *, force: bool = False, store: str | None = None
) -> list[Claim]:
    """Claim those of `targets` that nobody alive works on and that are due: not complete, stale, wanted, or `force`.

    `store` is where their images should be.
    """
    movies = {
        str(target.tmdb_id): {"tmdb_id": str(target.tmdb_id), "title": target.title, "added_by": target.added_by}
        for target in targets
    }
    wanted = {str(target.tmdb_id): target.wanted_since.isoformat() for target in targets if target.wanted_since}
    connection.execute(_LOCK, {"tmdb_ids": list(movies)})
    claimed = connection.scalars(
        _CLAIM,
        {
            "run_id": run_id,
            "movies": json_parameter(list(movies.values())),
            "force": force,
            "wanted_since": json_parameter(wanted),
        },
    ).all()
    known = connection.execute(_KNOWN, {"work_ids": list(claimed), "store": store})
    return [
        Claim(
            row.work_id,
            int(row.tmdb_id),
            row.title,
            row.year,
            row.etag,
            row.poster_url,
            row.content_hash,
            row.schema_version,
            row.rehosted,
            row.was_complete,
            bool(row.refusable),
        )
        for row in known
    ]


def work_states(connection: Connection, tmdb_ids: Sequence[int]) -> dict[int, WorkState]:
    """The works with these TMDB ids, by TMDB id."""
    rows = connection.execute(_STATE, {"tmdb_ids": [str(tmdb_id) for tmdb_id in tmdb_ids]})
    return {
        int(row.tmdb_id): WorkState(
            int(row.tmdb_id),
            row.work_id,
            row.title,
            row.year,
            row.ingestion_status,
            row.busy,
            row.claimed_by,
            row.etag,
            row.poster_url,
        )
        for row in rows
    }


def still_claimed(connection: Connection, run_id: str, work_id: int) -> bool:
    """Whether a work's claim is this run's."""
    claimed_by = connection.scalar(text("SELECT claimed_by FROM works WHERE work_id = :id"), {"id": work_id})
    return bool(claimed_by == run_id)


def lost_claims(connection: Connection, work_ids: Sequence[int]) -> dict[int, Exclusion]:
    """Why works may not be written, those apart that another run has taken over."""
    rows = connection.execute(_LOST, {"work_ids": list(work_ids)})
    return {
        row.work_id: Exclusion.OWNER if row.there else Exclusion.REMOVED
        for row in rows
        if row.excluded or not row.there
    }


def mark_failed(connection: Connection, run_id: str, failures: Sequence[Failure]) -> None:
    """End claims of this run as failed; what is stored of the movies stays, `last_refreshed_at` too."""
    rows = [vars(failure) for failure in failures]
    connection.execute(_FAIL, {"run_id": run_id, "failures": json_parameter(rows)})


def remove_refused(connection: Connection, run_id: str, reasons: Mapping[int, str]) -> set[int]:
    """Remove those of this run's claims whose rows the pipeline made and of which nothing was ever written.

    `reasons` are by work_id, and remembered, so that a request for the movies costs no call. Returns which went.
    """
    works = [{"work_id": work_id, "reason": reason} for work_id, reason in reasons.items()]
    return set(connection.scalars(_REMOVE_REFUSED, {"run_id": run_id, "works": json_parameter(works)}))


def give_back_claims(connection: Connection, run_id: str) -> None:
    """Undo the claims that this run still has: the works are as they were before."""
    connection.execute(_REMOVE_UNFINISHED, {"run_id": run_id})
    connection.execute(text(_GIVE_BACK + _OF_THIS_RUN), {"run_id": run_id})


def give_back_dead_claims(connection: Connection) -> int:
    """Undo the claims of runs that died: movies that nobody asks for again would stay `ingesting` for ever.

    Returns how many there were.
    """
    works = connection.scalar(_REMOVE_UNFINISHED, {"run_id": None}) or 0
    works += connection.execute(text(_GIVE_BACK + _OF_DEAD_RUNS)).rowcount
    works += connection.execute(_GIVE_BACK_UNCLAIMED).rowcount
    return works
