"""How the catalogue is: what the operators' views say, as typed rows; checks/ says what of it is wrong.

The command `status` and the UI's report ask here, so that they never tell different stories.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from sqlalchemy import Connection, text

from tmdb_dagster.clock import utc_now
from tmdb_dagster.rate_limit import RateLimit
from tmdb_dagster.transform.health import (
    ApiErrors,
    CallTotals,
    CatalogueTier,
    EndpointCalls,
    Failures,
    Health,
    HourlyCalls,
    ImageCount,
    Period,
    QueueEntries,
    RunRow,
)
from tmdb_dagster.warehouse.checks import problems

_Row = TypeVar("_Row")

# A run names a movie that failed as "Title: error"; an error of a call begins with its path.
_FAILURES = text("""
    WITH runs AS (SELECT * FROM v_run_history WHERE ended_at > now() - interval '7 days'),
    found (what, message, number, at, example) AS (
        SELECT 'runs', error_message, 1, ended_at, source FROM runs WHERE error_message IS NOT NULL
        UNION ALL
        SELECT 'movies', coalesce(parts[2], failed), 1, ended_at, parts[1]
        FROM runs, jsonb_array_elements_text(failed_titles) AS failed,
            coalesce(regexp_match(failed, '^(.+?): (/.+)$'), regexp_match(failed, '^(.+?): (.+)$')) AS parts
        UNION ALL
        SELECT 'calls', coalesce(message, 'HTTP ' || http_status), calls, last_seen_at, NULL
        FROM v_api_errors WHERE period = '7 days'
        UNION ALL
        SELECT 'queue entries', q.last_error, 1, coalesce(q.processed_at, q.claimed_at, q.queued_at), w.title
        FROM refresh_queue q JOIN works w USING (work_id) WHERE q.status <> 'completed' AND q.last_error IS NOT NULL
        UNION ALL
        SELECT 'images', last_error, 1, checked_at, key FROM image_inventory i
        WHERE status <> 'stored' AND last_error IS NOT NULL AND EXISTS (SELECT FROM work_images l WHERE l.key = i.key)
    )
    SELECT what, reason, sum(number)::integer, max(at), (array_agg(example ORDER BY at DESC NULLS LAST))[1]
    FROM (SELECT *, failure_reason(message) AS reason FROM found) AS f
    GROUP BY what, reason
    ORDER BY what = 'runs' DESC, sum(number) DESC, reason LIMIT :limit
""")


def read_health(connection: Connection, rate_limit: RateLimit | None, *, runs: int = 5) -> Health:
    """The catalogue's state now, with its last `runs`."""
    return Health(
        utc_now(),
        run_history(connection, limit=runs),
        last_runs(connection),
        rate_limit,
        call_totals(connection, window_s=rate_limit.seconds if rate_limit else 10),
        api_errors(connection),
        queue_status(connection),
        catalogue_health(connection),
        image_coverage(connection),
        problems(connection),
    )


def run_history(connection: Connection, *, limit: int = 20) -> list[RunRow]:
    """The last runs, newest first."""
    return _rows(connection, RunRow, "v_run_history ORDER BY ended_at DESC LIMIT :limit", limit=limit)


def last_runs(connection: Connection, *, each: int = 1) -> list[RunRow]:
    """The last runs of each kind, newest first: ingests, daily refreshes, drains of the queue."""
    source = """unnest(ARRAY['ingest', 'refresh', 'drain']) AS wanted,
        LATERAL (SELECT * FROM v_run_history WHERE kind = wanted ORDER BY ended_at DESC LIMIT :each) AS r
        ORDER BY ended_at DESC"""
    return _rows(connection, RunRow, source, each=each)


def calls_by_endpoint(connection: Connection, period: Period = "1 day") -> list[EndpointCalls]:
    """Calls of a period by endpoint, most first."""
    source = "v_api_calls_by_endpoint WHERE period = :period ORDER BY calls DESC, endpoint"
    return _rows(connection, EndpointCalls, source, period=period)


def calls_hourly(connection: Connection, *, hours: int = 24) -> list[HourlyCalls]:
    """Calls of the last hours by hour and job, oldest first; hours without a call are missing."""
    source = "v_api_calls_hourly WHERE hour > now() - make_interval(hours => :hours) ORDER BY hour, job"
    return _rows(connection, HourlyCalls, source, hours=hours)


def api_errors(connection: Connection, period: Period = "1 day", *, limit: int = 20) -> list[ApiErrors]:
    """The most frequent failures of calls in a period."""
    source = "v_api_errors WHERE period = :period ORDER BY calls DESC, last_seen_at DESC LIMIT :limit"
    return _rows(connection, ApiErrors, source, period=period, limit=limit)


def failures(connection: Connection, *, limit: int = 20) -> list[Failures]:
    """What failed in a week's runs and calls, in the queue and among the images, most frequent first."""
    return [Failures(*row) for row in connection.execute(_FAILURES, {"limit": limit})]


def call_totals(connection: Connection, *, window_s: float) -> CallTotals:
    """The calls of the last day; `window_s` is the length of the rate limit's window."""
    row = connection.execute(
        text("""
            SELECT count(*),
                count(*) FILTER (WHERE failed),
                count(*) FILTER (WHERE retry_count > 0),
                count(*) FILTER (WHERE http_status = 429),
                round(percentile_cont(0.5) WITHIN GROUP (ORDER BY response_time_ms))::integer,
                round(percentile_cont(0.95) WITHIN GROUP (ORDER BY response_time_ms))::integer,
                coalesce(max(together), 0)
            FROM (
                SELECT *, is_failed_call(c) AS failed, count(*) OVER (
                    ORDER BY created_at RANGE BETWEEN make_interval(secs => :window_s) PRECEDING AND CURRENT ROW
                ) AS together
                FROM tmdb_api_logs c WHERE created_at > now() - interval '1 day'
            ) AS calls
        """),
        {"window_s": window_s},
    ).one()
    return CallTotals(*row)


def queue_status(connection: Connection) -> list[QueueEntries]:
    """The refresh queue, open entries first, the most urgent first."""
    source = """v_queue_status
        ORDER BY array_position(ARRAY['processing', 'queued', 'failed', 'completed'], status), priority DESC, reason"""
    return _rows(connection, QueueEntries, source)


def catalogue_health(connection: Connection) -> list[CatalogueTier]:
    """The catalogue by status and age, newest releases first."""
    source = """v_catalogue_health
        ORDER BY status, age_tier = 'unknown', refresh_days, age_tier <> 'unreleased'"""
    return _rows(connection, CatalogueTier, source)


def image_coverage(connection: Connection) -> list[ImageCount]:
    """The images by kind and status."""
    return _rows(connection, ImageCount, "v_image_coverage ORDER BY kind, status")


def _rows(connection: Connection, kind: type[_Row], source: str, **parameters: Any) -> list[_Row]:
    names = ", ".join(field.name for field in fields(kind))  # type: ignore[arg-type]  # dataclasses, all of them
    statement = text(f"SELECT {names} FROM {source}")  # noqa: S608 - constants only
    return [kind(*row) for row in connection.execute(statement, parameters)]
