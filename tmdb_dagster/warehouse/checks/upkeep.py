"""What must hold of the work that keeps the catalogue: nothing late, stuck, failing or given up."""

from __future__ import annotations

from tmdb_dagster.warehouse.checks.check import Check, none_of, reasons
from tmdb_dagster.warehouse.claims import LIVE_CLAIM

INGEST_OVERDUE_DAYS = 8
REFRESH_OVERDUE_H = 26
"""After how long without a success the regular jobs are overdue: their periods, and what a run may take."""

QUEUE_WAITS_H = 24
"""Hours for which an entry that is due may wait in the queue."""

FAILED_SHARE = 0.05
"""Share of the catalogue that may have failed FAILURES times; movies that TMDB knows no more do not count."""

FAILURES = 4
"""So often the queue has tried a work in vain, within half a day, before its failure is a person's matter."""

FEWEST_WORKS = 20
"""A smaller catalogue says nothing about a share."""

LEAST_COVERAGE = 0.95
"""Share of the images that should be in the store."""

_FAILED = f"ingestion_status = 'failed' AND gone_at IS NULL AND failures >= {FAILURES}"
_FAILED_ENTRY = "status = 'failed' AND processed_at > now() - interval '7 days'"
# Without a date an entry is due at once.
_DUE = "status = 'queued' AND coalesce(due_at, queued_at) <= now()"
# Those that movies show, and only the missing ones, which an index lists.
_MISSING = """
    SELECT count(*) AS missing, count(*) FILTER (WHERE status = 'pending') AS pending,
        count(*) FILTER (WHERE status = 'failed') AS failed, count(*) FILTER (WHERE status = 'gave_up') AS gave_up
    FROM image_inventory i
    WHERE status <> 'stored' AND EXISTS (SELECT FROM work_images l WHERE l.key = i.key)
"""


_LAST = "(SELECT * FROM v_run_history WHERE kind = '{kind}' ORDER BY ended_at DESC LIMIT 1)"
_LAST_INGEST, _LAST_REFRESH, _LAST_DRAIN = (_LAST.format(kind=kind) for kind in ("ingest", "refresh", "drain"))
# A refresh drains the queue, too.
_DRAIN_SINCE = f"""
    SELECT * FROM {_LAST_DRAIN} AS d WHERE NOT EXISTS (SELECT FROM {_LAST_REFRESH} AS l WHERE l.ended_at > d.ended_at)
"""  # noqa: S608 - our own texts


def _last_run(kind: str, runs: str) -> str:
    """Passes where none of `runs`, the last ones, failed as a whole."""
    return f"""
        SELECT coalesce(bool_and(status <> 'failed'), true) AS passed,
            max('The last {kind} (' || source || ', ' || to_char(ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')
                || ' UTC) failed: ' || error_message) AS text,
            jsonb_strip_nulls(
                jsonb_build_object('hours ago', round(extract(epoch FROM now() - max(ended_at)) / 3600, 1))
            ) AS figures,
            coalesce(array_agg(error_message) FILTER (WHERE error_message IS NOT NULL), '{{}}') AS examples
        FROM ({runs}) AS r
    """  # noqa: S608 - our own texts


def _ran_lately(sync_type: str, kind: str, hours: int) -> str:
    """Passes where a regular job ended well and is not overdue; one that never has is not due yet."""
    return f"""
        SELECT coalesce(bool_and(hours <= {hours}), true) AS passed,
            max('The last {kind} that ended well was ' || round(hours) || ' hours ago.') AS text,
            coalesce(jsonb_object_agg('hours ago', round(hours, 1)), '{{}}') AS figures,
            CASE WHEN count(*) = 0 THEN ARRAY['It has not run yet.'] ELSE '{{}}' END AS examples
        FROM (
            SELECT extract(epoch FROM now() - last_sync_at) / 3600 AS hours FROM sync_state
            WHERE sync_type = '{sync_type}' AND last_sync_at IS NOT NULL
        ) AS s
    """  # noqa: S608 - our own texts


UPKEEP_CHECKS = (
    Check(
        "last_ingest",
        "works",
        "error",
        "The last ingest did not fail as a whole.",
        "Its run in Dagster says what to do.",
        _last_run("ingest", _LAST_INGEST),
        cheap=True,
    ),
    Check(
        "last_refresh",
        "works",
        "error",
        "The last refresh did not fail as a whole, nor a drain of the queue since; one that went well does not mend an "
        "ingest that failed.",
        "Its run in Dagster says what to do.",
        _last_run("refresh", f"{_LAST_REFRESH} UNION ALL ({_DRAIN_SINCE})"),
        cheap=True,
    ),
    Check(
        "ingested_lately",
        "works",
        "error",
        f"The last ingest that ended well is not older than {INGEST_OVERDUE_DAYS} days.",
        "See the runs of weekly_ingest: did the last one fail? Is weekly_ingest_schedule on, and the daemon running?",
        _ran_lately("scheduled_ingest", "ingest", 24 * INGEST_OVERDUE_DAYS),
        cheap=True,
    ),
    Check(
        "refreshed_lately",
        "works",
        "error",
        f"The last refresh that ended well is not older than {REFRESH_OVERDUE_H} hours.",
        "See the runs of daily_refresh: did the last one fail? Is its schedule on, and the daemon running?",
        _ran_lately("daily_refresh", "refresh", REFRESH_OVERDUE_H),
        cheap=True,
    ),
    Check(
        "queue_moves",
        "works",
        "error",
        f"No due entry of the refresh queue waits for more than {QUEUE_WAITS_H} hours.",
        "See that the daemon runs and that the runs which drain the queue succeed.",
        f"""
        SELECT hours <= {QUEUE_WAITS_H} AS passed,
            'Entries of the queue that are due: ' || due || ', the oldest for ' || round(hours) || ' hours.' AS text,
            jsonb_build_object('due', due, 'oldest due (h)', round(hours, 1), 'failed in 7 days', failed) AS figures,
            {reasons("last_error", "refresh_queue", _FAILED_ENTRY)} AS examples
        FROM (
            SELECT count(*) FILTER (WHERE {_DUE}) AS due, count(*) FILTER (WHERE {_FAILED_ENTRY}) AS failed,
                coalesce(max(extract(epoch FROM now() - coalesce(due_at, queued_at)) / 3600) FILTER (WHERE {_DUE}), 0)
                    AS hours
            FROM refresh_queue WHERE status IN ('queued', 'failed')
        ) AS q
        """,  # noqa: S608 - constants only, here and below
        cheap=True,
    ),
    Check(
        "few_failed_works",
        "works",
        "error",
        f"At most {FAILED_SHARE:.0%} of the works have failed {FAILURES} times in a row, those that TMDB knows no more "
        "apart.",
        "works.ingestion_error says why each failed: mend the cause. The queue goes on trying them by itself, and "
        "`tmdb-dagster refresh ID` tries one at once.",
        f"""
        SELECT works < {FEWEST_WORKS} OR failed <= {FAILED_SHARE} * works AS passed,
            failed || ' of ' || works || ' movies have failed {FAILURES} times or more.' AS text,
            jsonb_build_object('failed works', failed, 'failed (%)', round(100.0 * failed / greatest(works, 1), 1))
                AS figures,
            {reasons("ingestion_error", "works", _FAILED)} AS examples
        FROM (SELECT count(*) AS failed FROM works WHERE {_FAILED}) AS f, (SELECT count(*) AS works FROM works) AS c
        """,  # noqa: S608
        cheap=True,
    ),
    Check(
        "no_shown_work_gone",
        "works",
        "warning",
        "TMDB knows every movie that readers are shown.",
        "It was deleted or merged into another. It is looked for every month, and retention forgets it in time.",
        none_of(
            "shown works that are gone",
            """SELECT title || ' (TMDB id ' || tmdb_id || '), since ' || gone_at::date AS example,
                count(*) OVER () AS found
            FROM works WHERE gone_at IS NOT NULL AND last_refreshed_at IS NOT NULL ORDER BY gone_at DESC, work_id""",
        ),
        cheap=True,
    ),
    Check(
        "no_adult_works",
        "works",
        "warning",
        "TMDB calls no movie adult that discovery or a request brought, unless INGEST_INCLUDE_ADULT admits them.",
        "It became so after it had come. `tmdb-dagster remove ID --exclude adult` removes it and keeps it out.",
        none_of(
            "adult works",
            """SELECT title || ' (TMDB id ' || tmdb_id || '), since ' || adult_since::date AS example,
                count(*) OVER () AS found
            FROM works WHERE adult_since IS NOT NULL AND added_by IS DISTINCT FROM 'operator'
            ORDER BY adult_since DESC, work_id""",
        ),
        cheap=True,
    ),
    Check(
        "no_stuck_works",
        "works",
        "warning",
        "No work is `ingesting` without a run that lives.",
        "The sensor rescue_dead_work frees them every minute: see that it is on, and that the daemon runs.",
        none_of(
            "stuck works",
            f"""SELECT w.title || ' (TMDB id ' || w.tmdb_id || '), claimed by ' || coalesce(w.claimed_by, 'nobody')
                    AS example, count(*) OVER () AS found
            FROM works w WHERE w.ingestion_status = 'ingesting' AND NOT {LIVE_CLAIM} ORDER BY w.work_id""",  # noqa: S608
        ),
        cheap=True,
    ),
    Check(
        "refreshed_within_six_months",
        "works",
        "error",
        "TMDB's terms of use: nothing is kept for six months without a refresh.",
        "Run batch_ingest with force_refresh, or remove these movies; and see why the refresh passes them over.",
        none_of(
            "works older than six months",
            """SELECT title || ' (TMDB id ' || tmdb_id || '), of ' || last_refreshed_at::date AS example,
                count(*) OVER () AS found
            FROM works WHERE last_refreshed_at < now() - interval '6 months' ORDER BY last_refreshed_at""",
        ),
        cheap=True,
    ),
    Check(
        "images_rehosted",
        "works_meta",
        "warning",
        f"{LEAST_COVERAGE:.0%} of the images are in our store.",
        "The job repair_images tries them again by itself; image_inventory.last_error says why they failed.",
        f"""
        SELECT stored >= {LEAST_COVERAGE} * (stored + missing) AS passed,
            'Images that are not in the store: ' || missing || ' of ' || stored + missing || '.' AS text,
            jsonb_build_object('stored', stored, 'pending', pending, 'failed', failed, 'gave_up', gave_up,
                'coverage (%)', coalesce(round(100.0 * stored / nullif(stored + missing, 0), 1), 100)) AS figures,
            {reasons("last_error", "image_inventory", "status IN ('failed', 'gave_up')")} AS examples
        FROM ({_MISSING}) AS i, (SELECT count(*) AS stored FROM image_inventory WHERE status = 'stored') AS s
        """,  # noqa: S608
        cheap=True,
    ),
    Check(
        "no_images_given_up",
        "works_meta",
        "error",
        "No image was given up.",
        "image_inventory.last_error says why; mend the cause, then run the job repair_images.",
        f"""
        SELECT gave_up = 0 AS passed, 'Images that were given up: ' || gave_up || '.' AS text,
            jsonb_build_object('given up', gave_up) AS figures,
            {reasons("last_error", "image_inventory", "status = 'gave_up'")} AS examples
        FROM ({_MISSING}) AS i
        """,  # noqa: S608
        cheap=True,
    ),
)
