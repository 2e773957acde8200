"""Discovers movies: fetches TMDB's lists, keeps them as snapshots, and chooses the candidates to ingest."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal, get_args

from sqlalchemy import Connection

from tmdb_dagster.logs import inherited
from tmdb_dagster.pipeline.errors import InvalidRequest, ListsUnavailable
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.tmdb.client import LAST_PAGE, ListSource
from tmdb_dagster.tmdb.errors import AuthenticationFailed, TmdbError
from tmdb_dagster.tmdb.models import ListPage
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


@dataclass
class _Lists:
    pages: dict[tuple[ListSource, int], ListPage] = field(default_factory=dict)
    errors: dict[tuple[ListSource, int], TmdbError] = field(default_factory=dict)

    def places(self, source: ListSource) -> list[Place]:
        """Who stands where in a list."""
        return [
            Place(movie.id, movie.title, _rank(page, index), page)
            for (of, page), content in self.pages.items()
            if of == source
            for index, movie in enumerate(content.results)
        ]

    def problems(self) -> tuple[str, ...]:
        """What was wrong with pages."""
        failed = [f"{source} page {page}: {error}" for (source, page), error in self.errors.items()]
        return (
            *failed,
            *(f"{source} page {page}: {text}" for (source, page), c in self.pages.items() for text in c.problems),
        )


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
    lists = _fetch_lists(run, sources, request.pages_per_source)
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
        lists = _fetch_lists(run, sources, request.pages_per_source) if sources else _Lists()
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


def _fetch_lists(run: Run, sources: Sequence[ListSource], pages_per_source: int) -> _Lists:
    """The lists' pages; the first pages say how many there are, so they are fetched first."""
    lists = _Lists()
    with ThreadPoolExecutor(run.settings.tmdb_concurrency, thread_name_prefix="lists", initializer=inherited()) as pool:

        def fetch(wanted: Iterable[tuple[ListSource, int]]) -> None:
            futures = {key: pool.submit(run.tmdb.list_page, *key) for key in wanted}
            for key, future in futures.items():
                error = future.exception()
                if error is None:
                    lists.pages[key] = future.result()
                elif isinstance(error, TmdbError) and not isinstance(error, AuthenticationFailed):
                    lists.errors[key] = error
                else:
                    raise error

        fetch((source, 1) for source in sources)
        last = {
            source: min(
                pages_per_source,
                LAST_PAGE,
                # A list whose first page failed may still have others.
                lists.pages[source, 1].total_pages if (source, 1) in lists.pages else LAST_PAGE,
            )
            for source in sources
        }
        fetch((source, page) for source in sources for page in range(2, last[source] + 1))
    run.log_calls()
    if not lists.pages:
        reason = next(iter(lists.errors.values()))
        raise ListsUnavailable(f"No page of any list could be fetched: {reason}") from reason
    return lists


def _save_snapshots(
    connection: Connection, run_id: str, sources: Sequence[ListSource], lists: _Lists, fetched_at: datetime
) -> tuple[Snapshot, ...]:
    previous = {source: newest_snapshot(connection, source) for source in sources}
    for (source, page), content in lists.pages.items():
        save_snapshot(connection, _snapshot_rows(run_id, source, page, content, fetched_at))
    return tuple(
        _snapshot(source, lists, previous[source]) for source in sources if any(of == source for of, _ in lists.pages)
    )


def _choose(
    run: Run, request: IngestRequest, asked: Sequence[ListSource], lists: _Lists, times: Mapping[str, datetime | None]
) -> Discovery:
    found = run_transaction(
        run.engine, _open_batch, run.run_id, request, asked, lists, times=times, fetched_at=run.lease.now()
    )
    batch = found.batch
    _log.info(
        "movies discovered",
        extra={
            "source": batch.source,
            "checked": batch.movies_checked,
            "skipped": batch.movies_skipped,
            "chosen": found.candidates,
        },
    )
    return found


def _open_batch(  # noqa: PLR0913 - what one transaction writes
    connection: Connection,
    run_id: str,
    request: IngestRequest,
    asked: Sequence[ListSource],
    lists: _Lists,
    *,
    times: Mapping[str, datetime | None],
    fetched_at: datetime,
) -> Discovery:
    kept = _kept_places(connection, [source for source in request.lists if source not in asked])
    ranked = _ranked({source: lists.places(source) or kept.get(source, ()) for source in request.lists})
    snapshots = _save_snapshots(connection, run_id, asked, lists, fetched_at)
    if not snapshots and not kept:
        raise ListsUnavailable(
            f"No snapshot of {', '.join(request.lists)} is kept. "
            "Materialise one before the candidates, or together with them."
        )
    known = known_tmdb_ids(connection, [candidate.tmdb_id for candidate in ranked])
    new = [candidate for candidate in ranked if candidate.tmdb_id not in known]
    batch = open_batch(
        connection,
        {
            "run_id": run_id,
            "source": request.logged_source,
            "max_movies": request.max_movies,
            "pages_per_source": request.pages_per_source,
            "trigger_type": request.trigger_type,
            "movies_checked": len(ranked),
            "movies_skipped": len(known),
            **times,
        },
        new[: request.max_movies],
    )
    chosen = min(len(new), request.max_movies)
    return Discovery(batch, chosen, resumed=False, snapshots=snapshots, problems=lists.problems())


def _kept_places(connection: Connection, sources: Iterable[ListSource]) -> dict[ListSource, Sequence[Place]]:
    """The newest snapshots of lists; one that was never taken is left out."""
    kept = {source: newest_snapshot(connection, source) for source in sources}
    return {source: snapshot.places for source, snapshot in kept.items() if snapshot is not None}


def _snapshot(source: ListSource, lists: _Lists, previous: ListSnapshot | None) -> Snapshot:
    places = lists.places(source)
    return Snapshot(
        source,
        pages=sum(of == source for of, _ in lists.pages),
        failed_pages=sum(of == source for of, _ in lists.errors),
        movies=len(places),
        previous_at=previous.fetched_at if previous else None,
        movers=tuple(list_movers(previous.places, places)) if previous else (),
    )


def _rank(page: int, index: int) -> int:
    return (page - 1) * 20 + index + 1


def _ranked(lists: Mapping[ListSource, Sequence[Place]]) -> list[Candidate]:
    """Each movie once, best place first; between lists, their order decides."""
    places: dict[int, list[tuple[int, int]]] = {}
    titles: dict[int, str] = {}
    sources = list(lists)
    for source in sources:
        for place in lists[source]:
            places.setdefault(place.tmdb_id, []).append((place.rank, sources.index(source)))
            titles.setdefault(place.tmdb_id, place.title or f"TMDB movie {place.tmdb_id}")
    order = sorted(places, key=lambda tmdb_id: min(places[tmdb_id]))
    return [
        Candidate(
            tmdb_id,
            rank,
            titles[tmdb_id],
            tuple(source for at, source in enumerate(sources) if any(at == of for _, of in places[tmdb_id])),
        )
        for rank, tmdb_id in enumerate(order, start=1)
    ]


def _snapshot_rows(
    run_id: str, source: ListSource, page: int, content: ListPage, fetched_at: datetime
) -> list[dict[str, Any]]:
    return [
        {
            "run_id": run_id,
            "source": source,
            "rank": _rank(page, index),
            "page": page,
            "tmdb_id": movie.id,
            "title": movie.title,
            "popularity": movie.popularity,
            # TMDB gives three decimals; what is smaller than a REAL can hold would cost the page.
            "vote_average": None if movie.vote_average is None else round(movie.vote_average, 3),
            "vote_count": movie.vote_count,
            "release_date": movie.release_date,
            "fetched_at": fetched_at,
        }
        for index, movie in enumerate(content.results)
    ]
