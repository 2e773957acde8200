"""What of the catalogue's state needs a person: each problem with its name, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tmdb_dagster.clock import utc_now
from tmdb_dagster.rate_limit import RateLimit
from tmdb_dagster.warehouse.health import (
    ApiErrors,
    CallTotals,
    CatalogueTier,
    ImageCount,
    QueueEntries,
    RunRow,
    SyncState,
    api_errors,
    call_totals,
    catalogue_health,
    image_coverage,
    images_by_status,
    last_runs,
    queue_status,
    run_history,
    sync_states,
)

OVERDUE = {"scheduled_ingest": timedelta(days=8), "daily_refresh": timedelta(hours=26)}
"""After how long without a success a regular job counts as overdue: its period, and what a run may take."""

QUEUE_WAITS = timedelta(days=1)
"""How long an entry that is due may wait in the queue."""

ERROR_RATE = 0.1
"""Share of the last day's calls that may fail."""

FEWEST_CALLS = 20
"""Fewer calls say nothing about a rate."""

FAILED_SHARE = 0.05
"""Share of the catalogue that may be failed; movies that TMDB knows no more do not count."""

FEWEST_WORKS = 20
"""A smaller catalogue says nothing about a share."""


@dataclass(frozen=True)
class Problem:
    """Something that a person must act on."""

    name: str
    text: str


@dataclass(frozen=True)
class Health:
    """All that one look at the catalogue shows, and the problems in it."""

    at: datetime
    runs: list[RunRow]
    last_runs: list[RunRow]
    rate_limit: RateLimit | None
    calls: CallTotals
    errors: list[ApiErrors]
    queue: list[QueueEntries]
    catalogue: list[CatalogueTier]
    images: list[ImageCount]
    sync: list[SyncState]
    problems: list[Problem] = field(default_factory=list)


def too_many_failed(failed: int, works: int) -> bool:
    """Whether so many failed works, those that are gone apart, are more than an accident."""
    return works >= FEWEST_WORKS and failed > FAILED_SHARE * works


def look(connection: Connection, rate_limit: RateLimit | None, *, runs: int = 5) -> Health:
    """The catalogue's state now."""
    health = Health(
        utc_now(),
        run_history(connection, limit=runs),
        last_runs(connection),
        rate_limit,
        call_totals(connection, window_s=rate_limit.seconds if rate_limit else 10),
        api_errors(connection),
        queue_status(connection),
        catalogue_health(connection),
        image_coverage(connection),
        sync_states(connection),
    )
    for find in (_runs, _overdue, _calls, _queue, _catalogue, _images):
        health.problems.extend(find(health))
    return health


def _runs(health: Health) -> Iterator[Problem]:
    # A refresh that went well does not mend an ingest that failed.
    for run in health.last_runs:
        if run.status == "failed":
            kind = "refresh" if run.source == "refresh" else "ingest"
            yield Problem(
                f"last_{kind}",
                f"The last {kind} ({run.source}, {run.ended_at:%Y-%m-%d %H:%M} UTC) failed: {run.error_message}",
            )


def _overdue(health: Health) -> Iterator[Problem]:
    for state in health.sync:
        limit = OVERDUE.get(state.sync_type)
        if limit and state.last_sync_at and health.at - state.last_sync_at > limit:
            yield Problem(
                f"{state.sync_type}_overdue",
                f"{state.sync_type} last ended well on {state.last_sync_at:%Y-%m-%d %H:%M} UTC: "
                "see whether its schedule is on and the daemon runs.",
            )


def _calls(health: Health) -> Iterator[Problem]:
    refused = sum(error.calls for error in health.errors if error.http_status in (401, 403))
    if refused:
        yield Problem(
            "credentials",
            f"TMDB refused the key in {refused} calls of the last day: correct TMDB_READ_ACCESS_TOKEN or TMDB_API_KEY.",
        )
    calls = health.calls
    if calls.calls >= FEWEST_CALLS and calls.error_rate > ERROR_RATE:
        worst = max(health.errors, key=lambda error: error.calls)
        yield Problem(
            "error_rate",
            f"{calls.error_rate:.0%} of the last day's {calls.calls} calls failed; most often: {worst.message}",
        )


def _queue(health: Health) -> Iterator[Problem]:
    late = [entry for entry in health.queue if entry.due and (entry.oldest_age_s or 0) > QUEUE_WAITS.total_seconds()]
    if late:
        oldest = max(entry.oldest_age_s or 0 for entry in late)
        yield Problem(
            "queue_waits",
            f"{sum(entry.due for entry in late)} entries of the queue are due, the oldest waits for "
            f"{oldest / 3600:.0f} hours: see whether drain_refresh_queue runs.",
        )


def _catalogue(health: Health) -> Iterator[Problem]:
    works = sum(tier.works for tier in health.catalogue)
    failed = sum(tier.works - tier.gone for tier in health.catalogue if tier.status == "failed")
    if too_many_failed(failed, works):
        yield Problem(
            "failed_works", f"{failed} of {works} movies are failed: works.ingestion_error says why; run batch_ingest."
        )
    old = sum(tier.over_six_months for tier in health.catalogue)
    if old:
        yield Problem(
            "six_months",
            f"{old} movies were not refreshed for six months, which TMDB's terms of use do not allow: "
            "refresh them with batch_ingest and force_refresh, or remove them.",
        )
    complete = [tier for tier in health.catalogue if tier.status == "complete"]
    for name, table in (("meta", "works_meta"), ("card", "work_cards_cache")):
        without = sum(getattr(tier, f"without_{name}") for tier in complete)
        if without:
            yield Problem(f"without_{name}", f"{without} complete movies have no row in {table}: run rebuild_from_raw.")


def _images(health: Health) -> Iterator[Problem]:
    if gave_up := images_by_status(health.images)["gave_up"]:
        yield Problem(
            "images", f"{gave_up} images were given up: image_inventory.last_error says why; run repair_images."
        )
