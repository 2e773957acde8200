"""Discovers movies: fetches TMDB's lists, keeps them as snapshots, and chooses the candidates to ingest."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal, get_args

from sqlalchemy import Connection

from tmdb_dagster.pipeline.errors import InvalidRequest, ListsUnavailable
from tmdb_dagster.pipeline.lists import Lists, fetch_lists, ranked_candidates, snapshot_rows
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.tmdb.client import LAST_PAGE, ListSource
from tmdb_dagster.transform.admission import Admission, Exclusion
from tmdb_dagster.transform.list_movers import ListSnapshot, Mover, Place, list_movers
from tmdb_dagster.warehouse.batches import (
    Candidate,
    CandidateBatch,
    abandoned_batches,
    adopt_batch,
    close_batch,
    leases_of_open_batches,
    open_batch,
    open_candidates,
)
from tmdb_dagster.warehouse.claims import give_back_dead_claims
from tmdb_dagster.warehouse.exclusions import excluded_among
from tmdb_dagster.warehouse.leases import LEASE_S, RENEW_EVERY_S
from tmdb_dagster.warehouse.run_log import log_ingest
from tmdb_dagster.warehouse.scores import score_prior
from tmdb_dagster.warehouse.snapshots import newest_snapshot, save_snapshot
from tmdb_dagster.warehouse.transaction import run_transaction
from tmdb_dagster.warehouse.works import known_tmdb_ids

SOURCES: Mapping[str, tuple[ListSource, ...]] = {
    "popular": ("popular",),
    "now_playing": ("now_playing",),
    "trending": ("trending",),
    "all": ("popular", "now_playing", "trending"),
    "mixed_daily": ("now_playing", "trending"),
    "mixed_weekly": ("popular", "trending"),
}
"""What `source` may be, and the lists that it means."""

TriggerType = Literal["scheduled", "manual"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class IngestRequest:
    """What to discover: `source` is one of SOURCES; at most `max_movies` new movies are chosen.

    Raises InvalidRequest for a value that is not allowed.
    """

    source: str
    max_movies: int
    pages_per_source: int
    trigger_type: str = "manual"

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise InvalidRequest(f"source is '{self.source}', and must be one of {', '.join(SOURCES)}.")
        if self.max_movies < 1:
            raise InvalidRequest(f"max_movies is {self.max_movies}, and must be 1 or more.")
        if not 1 <= self.pages_per_source <= LAST_PAGE:
            raise InvalidRequest(f"pages_per_source is {self.pages_per_source}, and must be 1 to {LAST_PAGE}.")
        if self.trigger_type not in get_args(TriggerType):
            raise InvalidRequest(
                f"trigger_type is '{self.trigger_type}', and must be one of {', '.join(get_args(TriggerType))}."
            )

    @property
    def lists(self) -> tuple[ListSource, ...]:
        """The lists that the source means."""
        return SOURCES[self.source]

    @property
    def logged_source(self) -> str:
        """The source as scheduled_ingestion_log names it."""
        return "mixed" if self.source == "all" else self.source


@dataclass(frozen=True)
class Snapshot:
    """What was fetched of one list, and who moved in it since the last time (None: this is the first)."""

    source: ListSource
    pages: int
    failed_pages: int
    movies: int
    previous_at: datetime | None
    movers: tuple[Mover, ...]


@dataclass(frozen=True)
class Discovery:
    """A batch of candidates, and how it came about; a resumed batch has no snapshots."""

    batch: CandidateBatch
    candidates: int
    resumed: bool
    snapshots: tuple[Snapshot, ...] = ()
    problems: tuple[str, ...] = ()


def take_snapshots(
    run: Run, request: IngestRequest, asked: Collection[ListSource]
) -> tuple[tuple[Snapshot, ...], tuple[str, ...]]:
    """Keep a snapshot of each list in `asked`, and choose nothing; also returns what was wrong with pages.

    Raises InvalidRequest where the request names none of these lists, ListsUnavailable, AuthenticationFailed,
    DatabaseUnavailable.
    """
    sources = tuple(source for source in request.lists if source in asked)
    if not sources:
        raise InvalidRequest(f"source is '{request.source}', and the snapshots chosen are of {', '.join(asked)} alone.")
    lists = fetch_lists(run, sources, request.pages_per_source)
    snapshots = run_transaction(run.engine, _save_snapshots, run.run_id, sources, lists, run.lease.now())
    return snapshots, lists.problems()


def discover(
    run: Run, request: IngestRequest, *, asked: Collection[ListSource] | None = None, ingests: bool = True
) -> Discovery:
    """Choose candidates for ingestion, or go on with those of a run that was interrupted.

    The lists in `asked` (None: all that the request names) are asked for; of the others the newest snapshot counts.
    A run that does not ingest itself (`ingests`) always chooses anew, and its candidates wait for one that does.

    Raises ListsUnavailable, AuthenticationFailed, DatabaseUnavailable; they leave a row in
    scheduled_ingestion_log, as every ingest does.
    """
    started_at = run.lease.now()
    try:
        if batch := _interrupted_batch(run, request, resume=ingests):
            return batch
        score_prior(run.engine, update=True)
        sources = tuple(source for source in request.lists if asked is None or source in asked)
        lists = fetch_lists(run, sources, request.pages_per_source) if sources else Lists()
        times = {"started_at": started_at, "closed_at": None if ingests else run.lease.now()}
        return _choose(run, request, sources, lists, times)
    except BaseException as error:
        row = partial(
            log_ingest,
            started_at=started_at,
            run_id=run.run_id,
            source=request.logged_source,
            trigger_type=request.trigger_type,
            movies_checked=0,
            movies_skipped=0,
            movies_ingested=0,
            movies_failed=0,
            ingested_titles=[],
            failed_titles=[],
            error_message=run.settings.redact(str(error)) or type(error).__name__,
        )
        run_transaction(run.engine, row)
        raise


def _interrupted_batch(run: Run, request: IngestRequest, *, resume: bool) -> Discovery | None:
    """Go on with the batch of a dead run, and tidy up after other dead runs, whose batches nobody will go on with."""
    _wait_for_leases(run, request)
    found = run_transaction(run.engine, _tidy_up, run.run_id, request, resume=resume)
    if found is not None:
        _log.info("batch of a dead run resumed", extra={"batch_id": found.batch.batch_id, "movies": found.candidates})
    return found


def _tidy_up(connection: Connection, run_id: str, request: IngestRequest, *, resume: bool) -> Discovery | None:
    batch = None
    if resume:
        batch = adopt_batch(
            connection,
            run_id,
            source=request.logged_source,
            max_movies=request.max_movies,
            pages_per_source=request.pages_per_source,
        )
    for dead in abandoned_batches(connection):
        _log.warning("batch of a dead run closed", extra={"batch_id": dead.batch_id, "of_run": dead.run_id})
        close_batch(connection, dead, error=f"Run {dead.run_id} was interrupted and not resumed")
    if rescued := give_back_dead_claims(connection):
        _log.warning("claims of dead runs given back", extra={"movies": rescued})
    if batch is None:
        return None
    return Discovery(batch, len(open_candidates(connection, batch.batch_id)), resumed=True)


def _wait_for_leases(run: Run, request: IngestRequest) -> None:
    """Wait until each run with an open batch of this source has renewed its lease or lost it.

    A run that was killed a moment ago still looks alive; its work is to be resumed, not done beside it.
    """
    first = run_transaction(run.engine, leases_of_open_batches, request.logged_source)
    deadline = time.monotonic() + LEASE_S + RENEW_EVERY_S
    waiting = set(first)
    while waiting and time.monotonic() < deadline:
        time.sleep(0.5)
        now = run_transaction(run.engine, leases_of_open_batches, request.logged_source)
        waiting = {run_id for run_id in waiting if run_id in now and now[run_id] == first[run_id]}


def _save_snapshots(
    connection: Connection, run_id: str, sources: Sequence[ListSource], lists: Lists, fetched_at: datetime
) -> tuple[Snapshot, ...]:
    previous = {source: newest_snapshot(connection, source) for source in sources}
    for (source, page), content in lists.pages.items():
        save_snapshot(connection, snapshot_rows(run_id, source, page, content, fetched_at))
    return tuple(
        _snapshot(source, lists, previous[source]) for source in sources if any(of == source for of, _ in lists.pages)
    )


def _choose(
    run: Run, request: IngestRequest, asked: Sequence[ListSource], lists: Lists, times: Mapping[str, datetime | None]
) -> Discovery:
    found = run_transaction(run.engine, _open_batch, run, request, asked, lists, times=times)
    batch = found.batch
    _log.info(
        "movies discovered",
        extra={
            "source": batch.source,
            "checked": batch.movies_checked,
            "skipped": batch.movies_skipped,
            "excluded": sum(batch.exclusions.values()),
            "chosen": found.candidates,
        },
    )
    return found


def _open_batch(  # noqa: PLR0913 - what one transaction writes
    connection: Connection,
    run: Run,
    request: IngestRequest,
    asked: Sequence[ListSource],
    lists: Lists,
    *,
    times: Mapping[str, datetime | None],
) -> Discovery:
    kept = _kept_places(connection, [source for source in request.lists if source not in asked])
    places = {source: lists.places(source) or kept.get(source, ()) for source in request.lists}
    ranked = ranked_candidates(places)
    snapshots = _save_snapshots(connection, run.run_id, asked, lists, run.lease.now())
    if not snapshots and not kept:
        raise ListsUnavailable(
            f"No snapshot of {', '.join(request.lists)} is kept. "
            "Materialise one before the candidates, or together with them."
        )
    known = known_tmdb_ids(connection, [candidate.tmdb_id for candidate in ranked])
    new = [candidate for candidate in ranked if candidate.tmdb_id not in known]
    exclusions = _exclusions(connection, run.admission, new, places.values())
    admitted = [candidate for candidate in new if candidate.tmdb_id not in exclusions]
    batch = open_batch(
        connection,
        {
            "run_id": run.run_id,
            "source": request.logged_source,
            "max_movies": request.max_movies,
            "pages_per_source": request.pages_per_source,
            "trigger_type": request.trigger_type,
            "movies_checked": len(ranked),
            "movies_skipped": len(known),
            **times,
        },
        admitted[: request.max_movies],
        Counter(map(str, exclusions.values())),
    )
    chosen = min(len(admitted), request.max_movies)
    return Discovery(batch, chosen, resumed=False, snapshots=snapshots, problems=lists.problems())


def _exclusions(
    connection: Connection, admission: Admission, new: Sequence[Candidate], lists: Iterable[Sequence[Place]]
) -> dict[int, Exclusion]:
    """Which movies are kept out, and why, as far as the lists tell."""
    told = {place.tmdb_id: place for places in lists for place in places}
    excluded = excluded_among(connection, [candidate.tmdb_id for candidate in new])
    found = {}
    for candidate in new:
        place = told[candidate.tmdb_id]
        exclusion = admission.exclusion(adult=place.adult, votes=place.votes, language=place.language)
        if candidate.tmdb_id in excluded:
            exclusion = Exclusion.OWNER
        if exclusion is not None:
            found[candidate.tmdb_id] = exclusion
    return found


def _kept_places(connection: Connection, sources: Iterable[ListSource]) -> dict[ListSource, Sequence[Place]]:
    """The newest snapshots of lists; one that was never taken is left out."""
    kept = {source: newest_snapshot(connection, source) for source in sources}
    return {source: snapshot.places for source, snapshot in kept.items() if snapshot is not None}


def _snapshot(source: ListSource, lists: Lists, previous: ListSnapshot | None) -> Snapshot:
    places = lists.places(source)
    return Snapshot(
        source,
        pages=sum(of == source for of, _ in lists.pages),
        failed_pages=sum(of == source for of, _ in lists.errors),
        movies=len(places),
        previous_at=previous.fetched_at if previous else None,
        movers=tuple(list_movers(previous.places, places)) if previous else (),
    )
