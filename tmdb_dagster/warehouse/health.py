"""How the catalogue is: what the operators' views say, as typed rows.

The command `status` and the UI's report ask here, so that they never tell different stories. problems.py says which of
it needs a person; quality.py and upkeep.py, which the UI's checks ask, look for single rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection, text

Period = Literal["1 day", "7 days", "30 days"]


@dataclass(frozen=True)
class RunRow:
    """A run of v_run_history."""

    started_at: datetime
    ended_at: datetime
    duration_s: float | None
    source: str
    trigger_type: str | None
    status: Literal["failed", "incomplete", "succeeded"]
    movies_checked: int
    movies_skipped: int
    movies_ingested: int
    movies_failed: int
    ingested_titles: list[str]
    failed_titles: list[str]
    error_message: str | None
    run_id: str | None


@dataclass(frozen=True)
class EndpointCalls:
    """A row of v_api_calls_by_endpoint."""

    period: Period
    endpoint: str
    calls: int
    errors: int
    error_rate: float
    retries: int
    rate_limited: int
    p50_ms: int | None
    p95_ms: int | None
    bytes: int
    last_call_at: datetime


@dataclass(frozen=True)
class HourlyCalls:
    """A row of v_api_calls_hourly."""

    hour: datetime
    job: str | None
    calls: int
    errors: int
    error_rate: float
    retries: int
    rate_limited: int
    p50_ms: int | None
    p95_ms: int | None
    bytes: int


@dataclass(frozen=True)
class ApiErrors:
    """A row of v_api_errors."""

    period: Period
    http_status: int | None
    endpoint: str
    message: str | None
    calls: int
    movies: int
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True)
class QueueEntries:
    """A row of v_queue_status."""

    status: Literal["queued", "processing", "completed", "failed"]
    priority: int | None
    reason: str | None
    claimed: bool
    entries: int
    due: int
    next_due_at: datetime | None
    oldest_queued_at: datetime | None
    oldest_age_s: float | None
    retries: int
    last_processed_at: datetime | None
    last_error: str | None


@dataclass(frozen=True)
class CatalogueTier:
    """A row of v_catalogue_health."""

    status: Literal["pending", "ingesting", "complete", "failed"]
    age_tier: str
    refresh_days: int
    works: int
    stale: int
    gone: int
    never_refreshed: int
    over_six_months: int
    oldest_refresh_at: datetime | None
    without_meta: int
    without_card: int
    without_rating: int
    without_poster: int
    images_missing: int


@dataclass(frozen=True)
class ImageCount:
    """A row of v_image_coverage."""

    kind: str
    status: Literal["pending", "stored", "failed", "gave_up"]
    images: int
    bytes: int
    next_attempt_at: datetime | None
    last_error: str | None


@dataclass(frozen=True)
class SyncState:
    """How far a regular job has come: a row of sync_state."""

    sync_type: str
    last_sync_at: datetime | None
    last_sync_cursor: str | None
    sync_count: int | None


@dataclass(frozen=True)
class CallTotals:
    """All calls of the last day together; `peak` is the most in any window of the rate limit's length."""

    calls: int
    errors: int
    retries: int
    rate_limited: int
    p50_ms: int | None
    p95_ms: int | None
    peak: int

    @property
    def error_rate(self) -> float:
        """errors / calls."""
        return self.errors / self.calls if self.calls else 0.0


_Row = TypeVar("_Row")


def run_history(connection: Connection, *, limit: int = 20) -> list[RunRow]:
    """The last runs, newest first."""
    return _rows(connection, RunRow, "v_run_history ORDER BY ended_at DESC LIMIT :limit", limit=limit)


def last_runs(connection: Connection) -> list[RunRow]:
    """The last refresh and the last ingest, where there was one."""
    return _rows(connection, RunRow, "v_run_history ORDER BY source = 'refresh', ended_at DESC", "source = 'refresh'")


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


def call_totals(connection: Connection, *, window_s: float) -> CallTotals:
    """The calls of the last day; `window_s` is the length of the rate limit's window."""
    row = connection.execute(
        text("""
            SELECT count(*),
                count(*) FILTER (WHERE error_message IS NOT NULL OR http_status < 200 OR http_status >= 400),
                count(*) FILTER (WHERE retry_count > 0),
                count(*) FILTER (WHERE http_status = 429),
                round(percentile_cont(0.5) WITHIN GROUP (ORDER BY response_time_ms))::integer,
                round(percentile_cont(0.95) WITHIN GROUP (ORDER BY response_time_ms))::integer,
                coalesce(max(together), 0)
            FROM (
                SELECT *, count(*) OVER (
                    ORDER BY created_at RANGE BETWEEN make_interval(secs => :window_s) PRECEDING AND CURRENT ROW
                ) AS together
                FROM tmdb_api_logs WHERE created_at > now() - interval '1 day'
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
    source = """v_catalogue_health ORDER BY status, array_position(
        ARRAY['unreleased', '0-30', '31-180', '181-365', 'over 365', 'unknown'], age_tier)"""
    return _rows(connection, CatalogueTier, source)


def image_coverage(connection: Connection) -> list[ImageCount]:
    """The images by kind and status."""
    return _rows(connection, ImageCount, "v_image_coverage ORDER BY kind, status")


def images_by_status(images: Iterable[ImageCount]) -> Counter[str]:
    """How many images have which status, all kinds together."""
    counts = Counter[str]()
    for count in images:
        counts[count.status] += count.images
    return counts


def sync_states(connection: Connection) -> list[SyncState]:
    """The regular jobs, and when each last ended well."""
    return _rows(connection, SyncState, "sync_state ORDER BY sync_type")


def _rows(
    connection: Connection, kind: type[_Row], source: str, distinct: str | None = None, **parameters: Any
) -> list[_Row]:
    names = ", ".join(field.name for field in fields(kind))  # type: ignore[arg-type]  # dataclasses, all of them
    first_of = f"DISTINCT ON ({distinct})" if distinct else ""
    statement = text(f"SELECT {first_of} {names} FROM {source}")  # noqa: S608 - constants only
    return [kind(*row) for row in connection.execute(statement, parameters)]
