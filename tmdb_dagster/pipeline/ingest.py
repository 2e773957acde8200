"""Ingests movies: the candidates of a discovery, one movie that a person asks for, or works that are not complete."""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from tmdb_dagster.pipeline.enrich import MovieOutcome, Outcomes, Status, enrich
from tmdb_dagster.pipeline.errors import InvalidRequest, MovieBusy, MovieFailed, NoCandidates, TmdbOutage
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.warehouse.batches import (
    close_batch,
    find_batch,
    open_candidates,
    record_outcomes,
    take_over_batch,
    waiting_batch,
)
from tmdb_dagster.warehouse.claims import Target
from tmdb_dagster.warehouse.works import page_of_works

_LOGGED: dict[Status, Literal["ingested", "skipped", "failed"]] = {
    "ingested": "ingested",
    "unchanged": "ingested",
    "cached": "skipped",
    "busy": "skipped",
    "failed": "failed",
    "gone": "failed",
}


class CandidateIngest:
    """The ingest of the candidates that a discovery chose for `run_ids`: this run, or the ones that it repeats.

    With `waiting`, and where these runs chose none, those that another run chose and did not ingest.
    Iterate over `outcomes`. Raises NoCandidates.
    """

    def __init__(self, run: Run, run_ids: list[str], *, waiting: bool = False) -> None:
        self._run = run
        with run.engine.begin() as connection:
            batch = find_batch(connection, run_ids) or (waiting_batch(connection) if waiting else None)
            if batch is None:
                raise NoCandidates(
                    f"Run {run_ids[0]} has no open batch of candidates: materialise the candidates first."
                )
            self.batch = take_over_batch(connection, batch.batch_id, run.run_id)
            self._targets = open_candidates(connection, batch.batch_id)

    def outcomes(self) -> Outcomes:
        """Ingest; ends with a row in scheduled_ingestion_log, whatever happens.

        Raises what `enrich` raises, and TmdbOutage where TMDB gave no movie at all.
        """
        error = "The run was stopped"
        unavailable = attempted = 0
        try:
            with closing(enrich(self._run, self._targets, record=self._record)) as settled:
                for outcomes in settled:
                    attempted += sum(outcome.status in ("ingested", "unchanged", "failed") for outcome in outcomes)
                    unavailable += sum(outcome.status == "failed" and outcome.unavailable for outcome in outcomes)
                    yield outcomes
            _refuse_silence(attempted, unavailable)
            error = ""
        except Exception as failure:
            error = str(failure) or type(failure).__name__
            raise
        finally:
            with self._run.engine.begin() as connection:
                close_batch(connection, self.batch, error or None)

    def _record(self, connection: Connection, outcomes: list[MovieOutcome]) -> None:
        record_outcomes(
            connection,
            self.batch,
            {
                outcome.tmdb_id: (
                    _LOGGED[outcome.status],
                    f"{outcome.title}: {outcome.message}"
                    if _LOGGED[outcome.status] == "failed"
                    else outcome.display_title,
                )
                for outcome in outcomes
            },
        )


def _refuse_silence(attempted: int, unavailable: int) -> None:
    if attempted and unavailable == attempted:
        raise TmdbOutage(f"TMDB answered for none of the {attempted} movies. Run it again when TMDB is back.")


def ingest_movie(run: Run, tmdb_id: int, *, force_refresh: bool = False) -> MovieOutcome:
    """Ingest one movie unless it is complete and fresh (then no call is made), or `force_refresh`.

    Raises InvalidRequest, MovieBusy, MovieFailed, and what `enrich` raises.
    """
    if not 1 <= tmdb_id < 2**31:
        raise InvalidRequest(f"tmdb_id is {tmdb_id}, and must be a TMDB movie id: 1 or more, such as 603.")
    target = Target(tmdb_id, f"TMDB movie {tmdb_id}")
    [outcome] = itertools.chain.from_iterable(enrich(run, [target], force=force_refresh))
    if outcome.status == "busy":
        raise MovieBusy(f"Movie {tmdb_id} is still being ingested by another run. {outcome.message}. Try again later.")
    if outcome.status in ("failed", "gone"):
        raise MovieFailed(f"Movie {tmdb_id} could not be ingested: {outcome.message}")
    return outcome


@dataclass(frozen=True)
class BatchRequest:
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
class BatchReport:
    """How far a batch ingest came; `next_offset` is where the next page begins, None after the last."""

    total: int = 0
    processed: int = 0
    succeeded: int = 0
    failed: int = 0
    has_more: bool = False
    next_offset: int | None = None


class BatchIngest:
    """A page of works to ingest again: iterate over `outcomes`, then read `report`."""

    def __init__(self, run: Run, request: BatchRequest) -> None:
        self._run = run
        self._request = request
        self.report = BatchReport()

    def outcomes(self) -> Outcomes:
        """Ingest the page. Raises what `enrich` raises."""
        request, report = self._request, self.report
        with self._run.engine.begin() as connection:
            report.total, targets = page_of_works(
                connection, unfinished=not request.force_refresh, limit=request.page_size, offset=request.offset
            )
        stayed = 0
        with closing(enrich(self._run, targets, force=request.force_refresh)) as settled:
            for outcomes in settled:
                report.processed += len(outcomes)
                # Without force, only works that failed stay in the list that the offset counts in.
                stayed += sum(request.force_refresh or outcome.status == "failed" for outcome in outcomes)
                report.failed += sum(outcome.status in ("failed", "gone", "busy") for outcome in outcomes)
                report.succeeded = report.processed - report.failed
                yield outcomes
        report.has_more = request.offset + report.processed < report.total
        if report.has_more:
            report.next_offset = request.offset + stayed
