"""Ingests movies: the candidates of a discovery, one movie that a person asks for, or works that are not complete."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from tmdb_dagster.pipeline.enrich import enrich
from tmdb_dagster.pipeline.errors import InvalidRequest, MovieBusy, MovieFailed, NoCandidates, TmdbOutage
from tmdb_dagster.pipeline.log_row import always_logged
from tmdb_dagster.pipeline.outcome import MovieOutcome, OnSettled, Status
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.shown import counted
from tmdb_dagster.transform.admission import Exclusion
from tmdb_dagster.warehouse.batches import (
    CandidateBatch,
    CandidateOutcome,
    close_batch,
    find_batch,
    open_candidates,
    record_outcomes,
    take_over_batch,
    waiting_batch,
)
from tmdb_dagster.warehouse.claims import Target
from tmdb_dagster.warehouse.transaction import run_transaction
from tmdb_dagster.warehouse.works import page_of_works


def ingest_candidates(run: Run, run_ids: list[str], on_settled: OnSettled, *, waiting: bool = False) -> CandidateBatch:
    """Ingest the candidates that a discovery chose for `run_ids`: this run, or the ones that it repeats.

    With `waiting`, and where these runs chose none, those that another run chose and did not ingest. Ends with a row
    in scheduled_ingestion_log, whatever happens. Raises NoCandidates, what `enrich` raises, and TmdbOutage where TMDB
    gave no movie at all.
    """
    batch, targets = run_transaction(run.engine, _take_over, run.run_id, run_ids, waiting=waiting)
    attempted = unavailable = 0

    def settled(outcomes: list[MovieOutcome]) -> None:
        nonlocal attempted, unavailable
        attempted += sum(outcome.status.written or outcome.status is Status.FAILED for outcome in outcomes)
        unavailable += sum(outcome.unavailable for outcome in outcomes)
        on_settled(outcomes)

    def close(error: str | None) -> None:
        run_transaction(run.engine, close_batch, batch, error)

    with always_logged(close, run.settings.redact):
        enrich(run, targets, settled, record=partial(_record, batch))
        if attempted and unavailable == attempted:
            raise TmdbOutage(
                f"TMDB answered for none of {counted(attempted, 'movie')}. Run it again when TMDB is back."
            )
    return batch


def _take_over(
    connection: Connection, run_id: str, run_ids: list[str], *, waiting: bool
) -> tuple[CandidateBatch, list[Target]]:
    found = find_batch(connection, run_ids) or (waiting_batch(connection) if waiting else None)
    if found is None:
        raise NoCandidates(f"Run {run_ids[0]} has no open batch of candidates: materialise the candidates first.")
    batch = take_over_batch(connection, found.batch_id, run_id)
    return batch, open_candidates(connection, batch.batch_id)


def _record(batch: CandidateBatch, connection: Connection, outcomes: list[MovieOutcome]) -> list[MovieOutcome]:
    record_outcomes(connection, batch, {outcome.tmdb_id: _logged(outcome) for outcome in outcomes})
    return outcomes


def _logged(outcome: MovieOutcome) -> tuple[CandidateOutcome, str]:
    """How the log counts a movie, and the title that it shows."""
    if outcome.status.failed:
        return "failed", f"{outcome.title}: {outcome.message}"
    if outcome.status is Status.EXCLUDED:
        return "excluded", outcome.message or ""
    return "ingested" if outcome.status.written else "skipped", outcome.display_title


def require_ids(tmdb_ids: Iterable[int]) -> None:
    """Raise InvalidRequest for a number that can be no TMDB id."""
    for tmdb_id in tmdb_ids:
        if not 1 <= tmdb_id < 2**31:
            raise InvalidRequest(f"tmdb_id is {tmdb_id}, and must be a TMDB movie id: 1 or more, such as 603.")


def ingest_movie(
    run: Run, tmdb_id: int, *, force_refresh: bool = False, on_settled: OnSettled | None = None
) -> MovieOutcome:
    """Ingest one movie unless it is complete and fresh (then no call is made), or `force_refresh`.

    Its outcome goes to `on_settled` before it is an error.
    Raises InvalidRequest, MovieBusy, MovieFailed, and what `enrich` raises.
    """
    require_ids([tmdb_id])
    target = Target(tmdb_id, f"TMDB movie {tmdb_id}")
    settled: list[MovieOutcome] = []
    enrich(run, [target], settled.extend, force=force_refresh)
    [outcome] = settled
    if on_settled is not None:
        on_settled(settled)
    if outcome.status is Status.BUSY:
        raise MovieBusy(f"Movie {tmdb_id} is still being ingested by another run. {outcome.message}. Try again later.")
    if outcome.message == Exclusion.OWNER:
        raise MovieFailed(f"Movie {tmdb_id} is excluded. `tmdb-dagster include {tmdb_id}` lets it in again.")
    if not outcome.status.fresh:
        raise MovieFailed(f"Movie {tmdb_id} could not be ingested: {outcome.message}")
    return outcome


@dataclass(frozen=True)
class PageRequest:
    """Which works to ingest again: without `force_refresh` those that are not complete, with it all, by work_id.

    `limit` None means 50, and 10 without `force_refresh`. Raises InvalidRequest.
    """

    limit: int | None = None
    offset: int = 0
    force_refresh: bool = False

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise InvalidRequest(f"limit is {self.limit}, and must be 1 or more.")
        if self.offset < 0:
            raise InvalidRequest(f"offset is {self.offset}, and must be 0 or more.")

    @property
    def page_size(self) -> int:
        """The limit that counts."""
        return self.limit or (50 if self.force_refresh else 10)


@dataclass
class PageReport:
    """How far the ingest of a page came; `next_offset` is where the next page begins, None after the last."""

    total: int = 0
    processed: int = 0
    succeeded: int = 0
    failed: int = 0
    has_more: bool = False
    next_offset: int | None = None


def ingest_page(run: Run, request: PageRequest, on_settled: OnSettled) -> PageReport:
    """Ingest a page of works again. Raises what `enrich` raises."""
    total, targets = run_transaction(
        run.engine,
        page_of_works,
        unfinished=not request.force_refresh,
        limit=request.page_size,
        offset=request.offset,
    )
    report = PageReport(total)
    stayed = 0

    def settled(outcomes: list[MovieOutcome]) -> None:
        nonlocal stayed
        report.processed += len(outcomes)
        report.succeeded += sum(outcome.status.fresh for outcome in outcomes)
        # Without force, only works that failed stay in the list that the offset counts in.
        stayed += sum(request.force_refresh or outcome.status is Status.FAILED for outcome in outcomes)
        on_settled(outcomes)

    enrich(run, targets, settled, force=request.force_refresh)
    report.failed = report.processed - report.succeeded
    report.has_more = request.offset + report.processed < report.total
    if report.has_more:
        report.next_offset = request.offset + stayed
    return report
