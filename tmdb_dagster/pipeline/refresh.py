"""Keeps the catalogue fresh: queues the works that are stale or that TMDB says have changed, and drains the queue.

stale_works ─────────► refresh_queue ──claim──► enrich ──write, end the entry (one transaction)──► outcomes
/movie/changes ──┘ (with the cursor, one transaction a window)
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Connection, Engine

from tmdb_dagster.clock import utc_now
from tmdb_dagster.pipeline.changes import LONGEST_WINDOW, ChangeWindow, changed_movies
from tmdb_dagster.pipeline.enrich import MovieOutcome, Outcomes, Status, enrich
from tmdb_dagster.pipeline.errors import ChangesUnavailable, InvalidRequest
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.tmdb.errors import AuthenticationFailed, TmdbError
from tmdb_dagster.warehouse.claims import Target, give_back_dead_claims
from tmdb_dagster.warehouse.engine import patiently
from tmdb_dagster.warehouse.refresh_queue import (
    Ending,
    Entry,
    Result,
    claim_entries,
    enqueue_changed,
    enqueue_stale,
    enqueue_unfinished,
    finish_entries,
    rescue_entries,
)
from tmdb_dagster.warehouse.run_log import log_ingest
from tmdb_dagster.warehouse.sync_state import move_cursor, note_sync, read_cursor
from tmdb_dagster.warehouse.works import first_refresh

SYNC_TYPE = "daily_refresh"

MAX_UNFINISHED = 50
"""Works that are queued at once because their last fetch failed."""

_OLDEST_CHANGE = timedelta(days=30)

_ENDINGS: dict[Status, Result] = {
    "ingested": "completed",
    "unchanged": "completed",
    "cached": "completed",
    "gone": "completed",
    "failed": "failed",
    "busy": "busy",
}

_UNKNOWN = Ending("completed", "The work has no TMDB id")
_UNREMARKABLE = ("ingested", "unchanged", "cached")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DrainRequest:
    """How to drain the queue: `batch_size` entries are claimed at once, at most `max_items` in all.

    Raises InvalidRequest for a value that is not allowed.
    """

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

    `refreshed` were so already, without a call; `gone` ones are among the `completed`; `retried` wait for another try,
    `failed` had their last one; `busy` ones were left to another run.
    """

    claimed: int = 0
    completed: int = 0
    refreshed: int = 0
    gone: int = 0
    retried: int = 0
    failed: int = 0
    busy: int = 0
    refreshed_titles: list[str] = field(default_factory=list)
    failed_titles: list[str] = field(default_factory=list)


class QueueDrain:
    """Refreshes what the queue holds: iterate over `outcomes`, then read `report`.

    An entry is ended in the transaction that writes its movie, so a run that dies leaves no entry both done and open.
    """

    def __init__(self, run: Run, request: DrainRequest) -> None:
        self._run = run
        self._request = request
        self._entries: dict[int, str] = {}
        self._endings: dict[str, str] = {}
        self.report = DrainReport()

    def outcomes(self) -> Outcomes:
        """Refresh until nothing is due or max_items are done; ends with a row in scheduled_ingestion_log.

        Raises what `enrich` raises.
        """
        with _logged(self._run, self._request.trigger_type, self.report):
            yield from self.drain()

    def drain(self) -> Outcomes:
        """The same, without a row in the log."""
        report = self.report
        try:
            with closing(enrich(self._run, self._targets(), record=self._record)) as settled:
                for outcomes in settled:
                    for outcome in outcomes:
                        report.gone += outcome.status == "gone"
                        report.refreshed += outcome.status == "cached"
                        if outcome.status in ("ingested", "unchanged"):
                            report.refreshed_titles.append(outcome.display_title)
                        elif outcome.message:
                            report.failed_titles.append(f"{outcome.title}: {outcome.message}")
                    yield outcomes
        finally:
            endings = Counter(self._endings.values())
            report.completed = endings["completed"]
            report.retried, report.failed, report.busy = endings["retried"], endings["failed"], endings["busy"]

    def _targets(self) -> Iterator[Target]:
        """Claim entries as they are needed, so that other runs find the rest."""
        report = self.report
        while (left := self._request.max_items - report.claimed) > 0:
            entries = patiently(self._claim, min(self._request.batch_size, left))
            if not entries:
                return
            report.claimed += len(entries)
            for entry in entries:
                if entry.tmdb_id is None:
                    report.gone += 1
                else:
                    self._entries[entry.tmdb_id] = entry.entry_id
                    yield Target(entry.tmdb_id, entry.title, entry.queued_at)

    def _claim(self, limit: int) -> list[Entry]:
        with self._run.engine.begin() as connection:
            entries = claim_entries(connection, self._run.run_id, limit)
            unknown = [entry.entry_id for entry in entries if entry.tmdb_id is None]
            self._finish(connection, dict.fromkeys(unknown, _UNKNOWN))
        return entries

    def _record(self, connection: Connection, outcomes: list[MovieOutcome]) -> None:
        self._finish(
            connection,
            {
                self._entries[outcome.tmdb_id]: Ending(
                    _ENDINGS[outcome.status], None if outcome.status in _UNREMARKABLE else outcome.message
                )
                for outcome in outcomes
            },
        )

    def _finish(self, connection: Connection, endings: dict[str, Ending]) -> None:
        """End entries; what became of each is kept by entry, since a broken transaction is tried again."""
        if endings:
            self._endings |= finish_entries(connection, self._run.run_id, endings)


class DailyRefresh:
    """Queues what is stale or has changed, then drains the queue: iterate over `outcomes`, then read the reports."""

    def __init__(self, run: Run, request: RefreshRequest) -> None:
        self._run = run
        self._request = request
        self._drain = QueueDrain(run, request)
        self.queued = QueueReport()

    @property
    def drained(self) -> DrainReport:
        """What became of the queue's entries."""
        return self._drain.report

    def outcomes(self) -> Outcomes:
        """Refresh; ends with a row in scheduled_ingestion_log, and in sync_state where all went well.

        Raises ChangesUnavailable after everything else is done, and what `enrich` raises.
        """
        with _logged(self._run, self._request.trigger_type, self.drained):
            self._queue_stale()
            unread = self._queue_changed() if self._request.use_changes else None
            yield from self._drain.drain()
            if unread is not None:
                raise ChangesUnavailable(
                    f"TMDB's feed of changes could not be read: {unread} The stale movies were refreshed all the "
                    "same, and the next run reads the changes from where this one stopped."
                ) from unread
            with self._run.engine.begin() as connection:
                note_sync(connection, SYNC_TYPE)

    def _queue_stale(self) -> None:
        rescue(self._run.engine)
        with self._run.engine.begin() as connection:
            self.queued.stale = enqueue_stale(connection, self._request.max_stale)

    def _queue_changed(self) -> TmdbError | None:
        """Queue what has changed since the cursor, window by window; returns what kept it from reading on."""
        today = utc_now().date()
        with self._run.engine.begin() as connection:
            start = _first_day(connection, today)
        if start is None:
            return None
        try:
            for window in changed_movies(self._run, start, today):
                patiently(self._queue_window, window)
        except AuthenticationFailed:
            raise
        except TmdbError as error:
            _log.warning("TMDB's feed of changes could not be read on", exc_info=error)
            return error
        return None

    def _queue_window(self, window: ChangeWindow) -> None:
        """Queue a window's works and move the cursor, in one transaction: the cursor never says more than is queued.

        The window's last day may not be over, and is read again as the first day of the next window. What was refreshed
        on it waits for that reading: otherwise each run of a day would ask again for all that changed on it.
        """
        last_day = datetime.combine(window.end, time(), UTC)
        with self._run.engine.begin() as connection:
            changed = enqueue_changed(connection, sorted(window.tmdb_ids), refreshed_before=last_day)
            move_cursor(connection, SYNC_TYPE, window.end)
        self.queued.changed += changed
        self.queued.pages += window.pages
        self.queued.cursor = window.end
        if not window.complete:
            _log.warning("TMDB names more changes for %s than it shows; the rest is found by age", window.start)


def rescue(engine: Engine) -> Rescued:
    """Take back what dead runs left `ingesting` or `processing`, and queue works whose last fetch failed.

    Failed works come back after a delay that grows with every failure, at most MAX_UNFINISHED at once.
    """
    with engine.begin() as connection:
        return Rescued(
            works=give_back_dead_claims(connection),
            entries=rescue_entries(connection),
            queued=enqueue_unfinished(connection, MAX_UNFINISHED),
        )


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


@contextmanager
def _logged(run: Run, trigger_type: str, report: DrainReport) -> Iterator[None]:
    """End with a row in scheduled_ingestion_log, whatever happens."""
    started_at = utc_now()
    error = "The run was stopped"
    try:
        yield
        error = ""
    except Exception as failure:
        error = str(failure) or type(failure).__name__
        raise
    finally:
        with run.engine.begin() as connection:
            log_ingest(
                connection,
                started_at=started_at,
                run_id=run.run_id,
                source="refresh",
                trigger_type=trigger_type,
                movies_checked=report.claimed,
                movies_skipped=report.refreshed + report.busy,
                movies_ingested=report.completed - report.refreshed - report.gone,
                movies_failed=report.failed + report.retried + report.gone,
                ingested_titles=report.refreshed_titles,
                failed_titles=report.failed_titles,
                error_message=error or None,
            )
