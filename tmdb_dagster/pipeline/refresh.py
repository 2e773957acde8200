"""Keeps the catalogue fresh: queues the works that are stale or that TMDB says have changed, and drains the queue.

stale_works ─────────► refresh_queue ──claim──► enrich ──write, end the entry (one transaction)──► outcomes
/movie/changes ──┘ (with the cursor, one transaction a window)
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import ClassVar

from sqlalchemy import Connection, Engine

from tmdb_dagster.pipeline.changes import LONGEST_WINDOW, ChangeWindow, changed_movies
from tmdb_dagster.pipeline.enrich import enrich
from tmdb_dagster.pipeline.errors import ChangesUnavailable, InvalidRequest
from tmdb_dagster.pipeline.log_row import always_logged
from tmdb_dagster.pipeline.merged import find_merged
from tmdb_dagster.pipeline.outcome import MovieOutcome, OnSettled, Status
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.tmdb.errors import AuthenticationFailed, TmdbError
from tmdb_dagster.warehouse.claims import Target, give_back_dead_claims
from tmdb_dagster.warehouse.refresh_queue import (
    Became,
    Ending,
    Entry,
    claim_entries,
    enqueue_changed,
    enqueue_stale,
    enqueue_unfinished,
    finish_entries,
    rescue_entries,
)
from tmdb_dagster.warehouse.run_log import log_ingest
from tmdb_dagster.warehouse.sync_state import move_cursor, note_sync, read_cursor
from tmdb_dagster.warehouse.transaction import run_transaction
from tmdb_dagster.warehouse.works import first_refresh

SYNC_TYPE = "daily_refresh"

MAX_UNFINISHED = 50
"""Works that are queued at once because their last fetch failed."""

_OLDEST_CHANGE = timedelta(days=30)

_UNKNOWN = Ending("completed", "The work has no TMDB id")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DrainRequest:
    """How to drain the queue: `batch_size` entries are claimed at once, at most `max_items` in all.

    Raises InvalidRequest for a value that is not allowed.
    """

    source: ClassVar = "drain"

    batch_size: int = 25
    max_items: int = 100
    trigger_type: str = "manual"

    def __post_init__(self) -> None:
        for name in ("batch_size", "max_items"):
            if getattr(self, name) < 1:
                raise InvalidRequest(f"{name} is {getattr(self, name)}, and must be 1 or more.")


@dataclass(frozen=True)
class RefreshRequest(DrainRequest):
    """What to refresh: `use_changes` asks TMDB what has changed; at most `max_stale` stale works are queued."""

    source: ClassVar = "refresh"

    use_changes: bool = True
    max_stale: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_stale < 0:
            raise InvalidRequest(f"max_stale is {self.max_stale}, and must be 0 or more.")


@dataclass
class QueueReport:
    """What was queued: `stale` works, and `changed` ones, which `pages` of TMDB's feed named among all its changes."""

    stale: int = 0
    changed: int = 0
    pages: int = 0
    cursor: date | None = None


@dataclass
class DrainReport:
    """What became of the entries that a run took.

    `cached` were complete and fresh, and cost no call; `gone` ones and those kept out (`exclusions`, by reason) are
    among the `completed`; `retried` wait for another try, `failed` had their last one; `busy` ones were left to
    another run.
    """

    claimed: int = 0
    completed: int = 0
    cached: int = 0
    gone: int = 0
    exclusions: Counter[str] = field(default_factory=Counter)
    retried: int = 0
    failed: int = 0
    busy: int = 0
    refreshed_titles: list[str] = field(default_factory=list)
    failed_titles: list[str] = field(default_factory=list)

    def add(self, outcomes: Iterable[MovieOutcome]) -> None:
        """Count outcomes and what became of their entries."""
        for outcome in outcomes:
            self.completed += outcome.entry == "completed"
            self.retried += outcome.entry == "retried"
            self.failed += outcome.entry == "failed"
            self.busy += outcome.entry == "busy"
            self.gone += outcome.status is Status.GONE
            self.cached += outcome.status is Status.CACHED
            if outcome.status.written:
                self.refreshed_titles.append(outcome.display_title)
            elif outcome.status is Status.EXCLUDED:
                self.exclusions[outcome.message or ""] += 1
            elif outcome.message:
                self.failed_titles.append(f"{outcome.title}: {outcome.message}")


@dataclass
class RefreshReport:
    """What a refresh queued, and what became of the entries that it took."""

    queued: QueueReport = field(default_factory=QueueReport)
    drained: DrainReport = field(default_factory=DrainReport)


def drain_queue(run: Run, request: DrainRequest, on_settled: OnSettled) -> DrainReport:
    """Refresh what the queue holds until nothing is due or max_items are done.

    Ends with a row in scheduled_ingestion_log, whatever happens. Raises what `enrich` raises.
    """
    report = DrainReport()
    with always_logged(partial(_write_log, run, request, run.lease.now(), report), run.settings.redact):
        _drain(run, request, report, on_settled)
    return report


def refresh_daily(run: Run, request: RefreshRequest, on_settled: OnSettled) -> RefreshReport:
    """Queue what is stale or has changed, then drain the queue.

    Ends with a row in scheduled_ingestion_log, whatever happens, and in sync_state where all went well. Raises
    ChangesUnavailable after everything else is done, and what `enrich` raises.
    """
    report = RefreshReport()
    with always_logged(partial(_write_log, run, request, run.lease.now(), report.drained), run.settings.redact):
        rescue(run.engine)
        report.queued.stale = run_transaction(run.engine, enqueue_stale, request.max_stale)
        unread = _queue_changed(run, report.queued) if request.use_changes else None
        _drain(run, request, report.drained, on_settled)
        if unread is not None:
            raise ChangesUnavailable(
                f"TMDB's feed of changes could not be read: {unread} The stale movies were refreshed all the "
                "same, and the next run reads the changes from where this one stopped."
            ) from unread
        run_transaction(run.engine, note_sync, SYNC_TYPE)
    return report


def _drain(run: Run, request: DrainRequest, report: DrainReport, on_settled: OnSettled) -> None:
    """Refresh the works of due entries.

    An entry is ended in the transaction that writes its movie, so a run that dies leaves no entry both done and open.
    """

    def settled(outcomes: list[MovieOutcome]) -> None:
        report.add(outcomes)
        gone.extend(outcome.tmdb_id for outcome in outcomes if outcome.status is Status.GONE)
        on_settled(outcomes)

    gone: list[int] = []
    enrich(run, _targets(run, request, report), settled, record=partial(_end_entries, run.run_id))
    find_merged(run, gone)


def _targets(run: Run, request: DrainRequest, report: DrainReport) -> Iterator[Target]:
    """Claim entries as they are needed, so that other runs find the rest."""
    while (left := request.max_items - report.claimed) > 0:
        entries = run_transaction(run.engine, _claim, run.run_id, min(request.batch_size, left))
        if not entries:
            return
        report.claimed += len(entries)
        for entry in entries:
            if entry.tmdb_id is None:
                report.completed += 1
                report.gone += 1
            else:
                yield Target(entry.tmdb_id, entry.title, None, entry.entry_id, entry.queued_at)


def _claim(connection: Connection, run_id: str, limit: int) -> list[Entry]:
    entries = claim_entries(connection, run_id, limit)
    unknown = [entry.entry_id for entry in entries if entry.tmdb_id is None]
    if unknown:
        finish_entries(connection, run_id, dict.fromkeys(unknown, _UNKNOWN))
    return entries


def _end_entries(run_id: str, connection: Connection, outcomes: list[MovieOutcome]) -> list[MovieOutcome]:
    endings = {outcome.entry_id: _ending(outcome) for outcome in outcomes if outcome.entry_id is not None}
    became = finish_entries(connection, run_id, endings)
    return [replace(outcome, entry=became.get(outcome.entry_id or "", _removed(outcome))) for outcome in outcomes]


def _removed(outcome: MovieOutcome) -> Became | None:
    """What became of an entry that is there no more: where its work was removed, it has ended with it."""
    return "completed" if outcome.entry_id is not None and outcome.work_id is None else None


def _ending(outcome: MovieOutcome) -> Ending:
    """How an entry's processing ends; that of a movie that is gone, too, is completed."""
    if outcome.status is Status.FAILED:
        return Ending("failed", outcome.message)
    if outcome.status is Status.BUSY:
        return Ending("busy", outcome.message)
    return Ending("completed", None if outcome.status.fresh else outcome.message)


def _queue_changed(run: Run, report: QueueReport) -> TmdbError | None:
    """Queue what has changed since the cursor, window by window; returns what kept it from reading on."""
    today = run.lease.now().date()
    start = run_transaction(run.engine, _first_day, today)
    if start is None:
        return None
    try:
        for window in changed_movies(run, start, today):
            run.log_calls()
            report.changed += run_transaction(run.engine, _queue_window, window)
            report.pages += window.pages
            report.cursor = window.end
    except AuthenticationFailed:
        raise
    except TmdbError as error:
        _log.warning("TMDB's feed of changes could not be read on", exc_info=error)
        return error
    return None


def _queue_window(connection: Connection, window: ChangeWindow) -> int:
    """Queue a window's works and move the cursor, in one transaction: the cursor never says more than is queued.

    The window's last day may not be over, and is read again as the first day of the next window. What was refreshed
    on it waits for that reading: otherwise each run of a day would ask again for all that changed on it. Returns how
    many works were queued.
    """
    last_day = datetime.combine(window.end, time(), UTC)
    changed = enqueue_changed(connection, sorted(window.tmdb_ids), refreshed_before=last_day)
    move_cursor(connection, SYNC_TYPE, window.end)
    if not window.complete:
        _log.warning("TMDB names more changes for %s than it shows; the rest is found by age", window.start)
    return changed


def rescue(engine: Engine) -> Rescued:
    """Take back what dead runs left `ingesting` or `processing`, and queue works whose last fetch failed.

    Failed works come back after a delay that grows with every failure, at most MAX_UNFINISHED at once.
    """

    def take_back(connection: Connection) -> Rescued:
        return Rescued(
            works=give_back_dead_claims(connection),
            entries=rescue_entries(connection),
            queued=enqueue_unfinished(connection, MAX_UNFINISHED),
        )

    return run_transaction(engine, take_back)


@dataclass(frozen=True)
class Rescued:
    """Works and queue entries that dead runs had left, and works queued for another try."""

    works: int
    entries: int
    queued: int


def _first_day(connection: Connection, today: date) -> date | None:
    """The day from which changes are to be read; None for an empty catalogue, which nothing concerns.

    Works that were not refreshed for 30 days are stale anyhow, so that older changes need not be read.
    """
    first = first_refresh(connection)
    if first is None:
        return None
    cursor = read_cursor(connection, SYNC_TYPE)
    if cursor is not None:
        return min(today, max(cursor, today - _OLDEST_CHANGE))
    return min(today, max(first.astimezone(UTC).date(), today - LONGEST_WINDOW))


def _write_log(run: Run, request: DrainRequest, started_at: datetime, report: DrainReport, error: str | None) -> None:
    row = partial(
        log_ingest,
        started_at=started_at,
        run_id=run.run_id,
        source=request.source,
        trigger_type=request.trigger_type,
        movies_checked=report.claimed,
        movies_skipped=report.cached + report.busy,
        movies_ingested=report.completed - report.cached - report.gone - report.exclusions.total(),
        movies_failed=report.failed + report.retried + report.gone,
        ingested_titles=report.refreshed_titles,
        failed_titles=report.failed_titles,
        movies_excluded=report.exclusions.total(),
        exclusions=report.exclusions,
        error_message=error,
    )
    run_transaction(run.engine, row)
