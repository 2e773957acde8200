"""Enriches movies: one call each, fetched in parallel, written in batches while the next ones are fetched.

    targets ──claim──► fetch, transform, rehost (threads) ──► write, mark failed, record (one transaction) ──► outcomes

A claim keeps other runs away. Whatever happens to a movie is an outcome; only what concerns the run as a whole
(credentials, database, an outage of TMDB) is raised, and then every claim is given back.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from tmdb_dagster.logs import inherited
from tmdb_dagster.pipeline.errors import MostMoviesFailed, RunEnding
from tmdb_dagster.pipeline.fetch import TAKEN_OVER, Fetched, fetch_movie
from tmdb_dagster.pipeline.outage import OUTAGE, Streak
from tmdb_dagster.pipeline.outcome import MovieOutcome, OnSettled, Record, Status
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.tmdb.errors import AuthenticationFailed, MovieNotFound, NotTmdb, TmdbError, TmdbUnavailable
from tmdb_dagster.transform.admission import Exclusion
from tmdb_dagster.warehouse.claims import (
    Claim,
    Failure,
    Target,
    WorkState,
    claim,
    lost_claims,
    mark_failed,
    remove_refused,
    work_states,
)
from tmdb_dagster.warehouse.errors import WarehouseError
from tmdb_dagster.warehouse.exclusions import excluded_among
from tmdb_dagster.warehouse.movies import FetchedMovie, Written, write_movies
from tmdb_dagster.warehouse.transaction import run_transaction

CHUNK = 40
"""Movies claimed at once; at most two chunks are being fetched and as many written, so memory does not grow with the
number of movies. At 40/10s two take 20 seconds: who waits for one of them gets it within BUSY_WAIT_S."""

BUSY_WAIT_S = 30.0
"""How long to wait for a movie that another run is ingesting."""

_BUSY_POLL_S = 0.5
_LONGEST_FILL_S = 0.3
_LONGEST_MESSAGE = 1000
_UNKNOWN = "TMDB does not know this movie."
_ROW_REMOVED = "Its row was removed, since nothing else was known of it."

_log = logging.getLogger(__name__)


def enrich(
    run: Run,
    targets: Iterable[Target],
    on_settled: OnSettled,
    *,
    force: bool = False,
    record: Record | None = None,
) -> None:
    """Enrich `targets` that are due (not complete, or stale), or all with `force`; outcomes go to `on_settled`.

    A movie that another run is ingesting is waited for at the end, up to BUSY_WAIT_S.
    Raises AuthenticationFailed, TmdbOutage (before it, works that were complete do not change), DatabaseUnavailable,
    and what `on_settled` raises; what was not settled by then is untouched, and nothing is under way any more.
    Raises MostMoviesFailed after everything is settled.
    """
    enrichment = _Enrichment(run, on_settled, record)
    with enrichment.pool():
        enrichment.settle(iter(targets), force=force)
        enrichment.wait_for_busy()
        enrichment.settle_held()
    enrichment.require_most()


def _log_outcomes(outcomes: list[MovieOutcome]) -> None:
    for outcome in outcomes:
        _log.log(
            logging.INFO if outcome.status.fresh or outcome.status is Status.EXCLUDED else logging.WARNING,
            "movie %s",
            outcome.status,
            extra={
                "tmdb_id": outcome.tmdb_id,
                "work_id": outcome.work_id,
                "title": outcome.display_title,
                "calls": outcome.calls,
                "ms": outcome.duration_ms,
                "reason": outcome.message,
            },
        )


class _Enrichment:
    def __init__(self, run: Run, on_settled: OnSettled, record: Record | None) -> None:
        self._run = run
        self._on_settled = on_settled
        self._record = record
        self._in_flight: dict[Future[Fetched], tuple[Claim, Target]] = {}
        self._busy: list[Target] = []
        self._streak = Streak()
        self._got = self._lost = 0
        self._executor = ThreadPoolExecutor(
            run.settings.tmdb_concurrency, thread_name_prefix="enrich", initializer=inherited()
        )

    @contextmanager
    def pool(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._run.ending.set()
            raise
        finally:
            self._executor.shutdown(wait=True, cancel_futures=True)

    def settle(self, targets: Iterator[Target], *, force: bool) -> None:
        exhausted = False
        fetched: list[Fetched] = []
        while not exhausted or self._in_flight or fetched:
            # Before the write, so that the threads have work meanwhile.
            while not exhausted and len(self._in_flight) <= CHUNK:
                chunk = list(itertools.islice(targets, CHUNK))
                exhausted = len(chunk) < CHUNK
                self._finish(self._start(chunk, force=force))
            self._finish(fetched)
            fetched = self._next_results() if self._in_flight else []
            if self._streak.outage:
                spared = [Fetched(outcome, spared=True) for outcome in self._streak.spared()]
                self._finish(fetched + spared)
                raise self._streak.outage

    def settle_held(self) -> None:
        """Settle the failures of a streak that has not grown into an outage."""
        self._finish([Fetched(outcome) for outcome in self._streak.end()])

    def _next_results(self) -> list[Fetched]:
        """What has become of movies, up to the one with which an outage is plain."""
        results: list[Fetched] = []
        for future in self._some_done():
            results += self._results(future, *self._in_flight.pop(future))
            if self._streak.outage:
                break
        return results

    def _some_done(self) -> set[Future[Fetched]]:
        """At least one movie, and where they come fast, about half a chunk: a transaction costs the same for each."""
        done, running = wait(self._in_flight, return_when=FIRST_COMPLETED)
        deadline = time.monotonic() + _LONGEST_FILL_S
        while running and len(done) < CHUNK // 2 and time.monotonic() < deadline:
            more, running = wait(running, timeout=_LONGEST_FILL_S / 10)
            done |= more
        return done

    def wait_for_busy(self) -> None:
        deadline = time.monotonic() + BUSY_WAIT_S
        while self._busy and time.monotonic() < deadline:
            time.sleep(_BUSY_POLL_S)
            busy, self._busy = self._busy, []
            self.settle(iter(busy), force=False)
        if self._busy:
            tmdb_ids = [target.tmdb_id for target in self._busy]
            states = run_transaction(self._run.engine, work_states, tmdb_ids)
            self._finish([Fetched(_untouched(target, states, Status.BUSY)) for target in self._busy])

    def _finish(self, results: list[Fetched]) -> None:
        """Log the calls of movies, write what has become of them, then report it."""
        if results:
            self._run.log_calls()
            outcomes = self._write(results)
            _log_outcomes(outcomes)
            self._got += sum(outcome.status.written for outcome in outcomes)
            self._lost += sum(outcome.status is Status.FAILED for outcome in outcomes)
            self._on_settled(outcomes)

    def require_most(self) -> None:
        """Raise MostMoviesFailed where more movies were lost than got; of fewer than ten it says nothing."""
        asked = self._got + self._lost
        if asked >= OUTAGE and self._lost > self._got:
            raise MostMoviesFailed(
                f"{self._lost} of the {asked} movies that TMDB was asked for failed; the others are kept. Each "
                "movie's reason is in `titles failed` of the run, and in ops_report."
            )

    def _start(self, chunk: list[Target], *, force: bool) -> list[Fetched]:
        """Claim what is due and hand it to the threads; returns the results of what is not."""
        lapses = self._run.lease.lapses()
        claims, states, excluded = run_transaction(self._run.engine, self._claim, chunk, force=force)
        by_id = {one.tmdb_id: one for one in claims}
        kept_out = {target.tmdb_id: Exclusion.OWNER for target in chunk if target.tmdb_id in excluded}
        left = [target for target in chunk if target.tmdb_id not in {*by_id, *kept_out}]
        for target in chunk:
            if target.tmdb_id in by_id:
                one = by_id[target.tmdb_id]
                self._in_flight[self._executor.submit(fetch_movie, self._run, one, lapses)] = one, target
        # A claim lost between the two statements shows as neither complete nor busy: it is tried again.
        complete = [t for t in left if t.tmdb_id in states and states[t.tmdb_id].status == "complete"]
        kept_out |= {t.tmdb_id: Exclusion.REMOVED for t in left if t.tmdb_id not in states and t.added_by is None}
        self._busy += [target for target in left if target not in complete and target.tmdb_id not in kept_out]
        return [
            *(Fetched(_untouched(target, states, Status.CACHED)) for target in complete),
            *(
                Fetched(_untouched(target, states, Status.EXCLUDED, str(kept_out[target.tmdb_id])))
                for target in chunk
                if target.tmdb_id in kept_out
            ),
        ]

    def _claim(
        self, connection: Connection, chunk: list[Target], *, force: bool
    ) -> tuple[list[Claim], dict[int, WorkState], set[int]]:
        """Claim what is due; returns the claims, how the other works stand, and which movies are kept out."""
        rehoster = self._run.rehoster
        store = rehoster.store.name if rehoster else None
        claims = claim(connection, self._run.run_id, chunk, force=force, store=store)
        claimed = {one.tmdb_id for one in claims}
        left = [target.tmdb_id for target in chunk if target.tmdb_id not in claimed]
        if not left:
            return claims, {}, set()
        return claims, work_states(connection, left), excluded_among(connection, left)

    def _results(self, future: Future[Fetched], one: Claim, target: Target) -> list[Fetched]:
        """The future's result, and what it settles of others; a failure is an outcome unless it concerns the run."""
        error = future.exception()
        if error is None:
            result = future.result()
            result = replace(result, outcome=replace(result.outcome, entry_id=target.entry_id))
            if result.outcome.status is Status.BUSY:  # taken over by another run, and not asked for
                return [result]
            return [*(Fetched(outcome) for outcome in self._streak.end()), result]
        if isinstance(error, AuthenticationFailed | RunEnding | WarehouseError):
            raise error
        failed = self._failed(error, one, target)
        return [Fetched(outcome) for outcome in self._streak.add(failed, error, was_complete=one.was_complete)]

    def _failed(self, error: BaseException, one: Claim, target: Target) -> MovieOutcome:
        if isinstance(error, TmdbError):
            message = str(error)
        else:
            _log.error("movie could not be transformed", extra={"tmdb_id": one.tmdb_id}, exc_info=error)
            message = f"{type(error).__name__} while its answer was transformed: {error}"
        times = self._run.response_times.pop(one.tmdb_id, [])
        return MovieOutcome(
            one.tmdb_id,
            Status.GONE if isinstance(error, MovieNotFound) else Status.FAILED,
            one.title,
            one.year,
            one.work_id,
            one.etag,
            calls=len(times),
            duration_ms=sum(times),
            message=self._run.settings.redact(message)[:_LONGEST_MESSAGE],  # it may quote the server
            unavailable=isinstance(error, TmdbUnavailable | NotTmdb),
            entry_id=target.entry_id,
        )

    def _write(self, results: list[Fetched]) -> list[MovieOutcome]:
        """One transaction for all; where the database refuses, one for each, so that a bad movie falls alone."""
        try:
            return run_transaction(self._run.engine, self._write_together, results)
        except DBAPIError as error:
            if len(results) > 1:
                return [outcome for result in results for outcome in self._write([result])]
            refused = results[0].outcome
            if results[0].fetched is None:
                raise
            _log.warning("movie could not be written", extra={"tmdb_id": refused.tmdb_id}, exc_info=error)
            reason = " ".join(str(error.orig).split())
            failed = replace(refused, status=Status.FAILED, message=f"The database refused it: {reason}")
            return run_transaction(self._run.engine, self._write_together, [Fetched(failed)])

    def _write_together(self, connection: Connection, results: list[Fetched]) -> list[MovieOutcome]:
        run_id = self._run.run_id
        outcomes = [result.outcome for result in results]
        fetched = [result.fetched for result in results if result.fetched is not None]
        if fetched:
            written = write_movies(connection, run_id, fetched)
            unwritten = [movie.work_id for movie in fetched if movie.work_id not in written.work_ids]
            lost = lost_claims(connection, unwritten) if unwritten else {}
            outcomes = [
                result.outcome if result.fetched is None else _as_written(result.outcome, result.fetched, written, lost)
                for result in results
            ]
        outcomes = self._without_refused(connection, outcomes)
        failures = [
            Failure(outcome.work_id, outcome.message or "", gone=outcome.status is Status.GONE)
            for outcome, result in zip(outcomes, results, strict=True)
            if outcome.status.failed and outcome.work_id is not None and not result.spared
        ]
        if failures:
            mark_failed(connection, run_id, failures)
        return outcomes if self._record is None else self._record(connection, outcomes)

    def _without_refused(self, connection: Connection, outcomes: list[MovieOutcome]) -> list[MovieOutcome]:
        """Remove what is not to be in the catalogue, where nothing was ever written of it; returns the outcomes."""
        refused = {
            outcome.work_id: _UNKNOWN if outcome.status is Status.GONE else f"It is not wanted here: {outcome.message}."
            for outcome in outcomes
            if outcome.status in (Status.GONE, Status.EXCLUDED) and outcome.work_id is not None
        }
        removed = remove_refused(connection, self._run.run_id, refused) if refused else set()
        return [
            outcome
            if outcome.work_id not in removed
            else replace(outcome, work_id=None)
            if outcome.status is Status.EXCLUDED
            else replace(outcome, work_id=None, message=f"{outcome.message} {_ROW_REMOVED}")
            for outcome in outcomes
        ]


def _untouched(
    target: Target, states: dict[int, WorkState], status: Status, message: str | None = None
) -> MovieOutcome:
    state = states.get(target.tmdb_id)
    if state is None:
        return MovieOutcome(target.tmdb_id, status, target.title, message=message, entry_id=target.entry_id)
    return MovieOutcome(
        target.tmdb_id,
        status,
        state.title,
        state.year,
        state.work_id,
        state.etag,
        state.poster_url,
        message=f"Run {state.claimed_by} is ingesting it" if status is Status.BUSY else message,
        entry_id=target.entry_id,
    )


def _as_written(
    outcome: MovieOutcome, fetched: FetchedMovie, written: Written, lost: Mapping[int, Exclusion]
) -> MovieOutcome:
    if exclusion := lost.get(fetched.work_id):
        return replace(outcome, status=Status.EXCLUDED, message=str(exclusion))
    if fetched.work_id not in written.work_ids:
        return replace(outcome, status=Status.BUSY, message=TAKEN_OVER)
    if card := written.cards.get(fetched.work_id):
        outcome = replace(outcome, etag=card["etag"], poster_url=card["payload_short"]["poster"])
    if clash := written.imdb_clashes.get(fetched.work_id):
        problem = f"IMDb id {clash} belongs to another work and was left out"
        return replace(outcome, message="; ".join(filter(None, [outcome.message, problem])))
    return outcome
