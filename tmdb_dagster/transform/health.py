"""How the catalogue is: the figures that are read from its views, and what was found in it, as typed values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from tmdb_dagster.rate_limit import RateLimit

Period = Literal["1 day", "7 days", "30 days"]
RunKind = Literal["ingest", "refresh", "drain"]
"""An ingest, a daily refresh, a drain of the refresh queue."""

RunStatus = Literal["failed", "incomplete", "succeeded"]
"""The run failed as a whole; it ended, and some of its movies failed; none did."""

ENDED: dict[RunStatus, str] = {"failed": "broke off", "incomplete": "incomplete", "succeeded": "succeeded"}
"""How a run ended, in words: what `failed` beside them are movies."""

Severity = Literal["error", "warning"]
"""error: a person must act. warning: it may mend itself, or can wait."""


@dataclass(frozen=True)
class RunRow:
    """A run of v_run_history."""

    started_at: datetime
    ended_at: datetime
    duration_s: float | None
    source: str
    trigger_type: str | None
    status: RunStatus
    movies_checked: int
    movies_skipped: int
    movies_ingested: int
    movies_failed: int
    ingested_titles: list[str]
    failed_titles: list[str]
    error_message: str | None
    run_id: str | None
    movies_excluded: int = 0
    exclusions: Mapping[str, int] = field(default_factory=dict)
    kind: RunKind = "ingest"


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


@dataclass(frozen=True)
class Finding:
    """What a check found: whether it passed, and for every reader the same words where it did not.

    `text` says what is wrong and `advice` what to do; `figures` are for plots, `examples` for a person. Where it could
    not be `asked`, nothing is known.
    """

    name: str
    asset: str
    severity: Severity
    passed: bool
    text: str = ""
    advice: str = ""
    figures: Mapping[str, int | float] = field(default_factory=dict)
    examples: tuple[str, ...] = ()
    asked: bool = True


@dataclass(frozen=True)
class Failures:
    """What failed for one reason: runs, movies, calls, queue entries or images; the last of them and an example."""

    what: str
    reason: str
    count: int
    last_at: datetime | None
    example: str | None


@dataclass(frozen=True)
class Health:
    """All that one look at the catalogue shows, and what is wrong in it, what needs a person first.

    `runs` are the newest; `last_runs` the last of each kind, which may be older.
    """

    at: datetime
    runs: list[RunRow]
    last_runs: list[RunRow]
    rate_limit: RateLimit | None
    calls: CallTotals
    errors: list[ApiErrors]
    queue: list[QueueEntries]
    catalogue: list[CatalogueTier]
    images: list[ImageCount]
    problems: list[Finding]

    @property
    def needs_a_person(self) -> bool:
        """Whether something does not mend itself."""
        return any(problem.severity == "error" for problem in self.problems)


def images_by_status(images: Iterable[ImageCount]) -> Counter[str]:
    """How many images have which status, all kinds together."""
    counts = Counter[str]()
    for count in images:
        counts[count.status] += count.images
    return counts
