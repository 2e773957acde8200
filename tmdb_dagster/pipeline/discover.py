"""Discovers movies: fetches TMDB's lists, keeps them as snapshots, and chooses the candidates to ingest."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from tmdb_dagster.clock import utc_now
from tmdb_dagster.logs import inherited
from tmdb_dagster.pipeline.errors import InvalidRequest, ListsUnavailable
from tmdb_dagster.pipeline.run import Run, score_prior
from tmdb_dagster.tmdb.client import LAST_PAGE, ListSource
from tmdb_dagster.tmdb.errors import AuthenticationFailed, TmdbError
from tmdb_dagster.tmdb.models import ListPage
from tmdb_dagster.transform.list_movers import Mover, Place, list_movers
from tmdb_dagster.warehouse.batches import (
    Candidate,
    CandidateBatch,
    abandoned_batches,
    adopt_batch,
    close_batch,
    live_rival_leases,
    open_batch,
    open_candidates,
)
from tmdb_dagster.warehouse.claims import give_back_dead_claims
from tmdb_dagster.warehouse.leases import LEASE_S, RENEW_EVERY_S
from tmdb_dagster.warehouse.run_log import log_ingest
from tmdb_dagster.warehouse.snapshots import ListSnapshot, newest_snapshot, save_snapshot
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


def discover(run: Run, request: IngestRequest) -> Discovery:
    """Choose candidates for ingestion, or go on with those of a run that was interrupted.

    Raises ListsUnavailable, AuthenticationFailed, DatabaseUnavailable; they leave a row in
    scheduled_ingestion_log, as every ingest does.
    """
    started_at = utc_now()
    try:
        if batch := _interrupted_batch(run, request):
            return batch
        score_prior(run.engine, update=True)
        lists = _fetch_lists(run, request)
        return _choose(run, request, lists, started_at)
    except BaseException as error:
        with run.engine.begin() as connection:
            log_ingest(
                connection,
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
                error_message=str(error) or type(error).__name__,
            )
        raise


def _interrupted_batch(run: Run, request: IngestRequest) -> Discovery | None:
    """Go on with the batch of a dead run, and tidy up after other dead runs, whose batches nobody will go on with."""
    _wait_for_silent_rivals(run, request)
    with run.engine.begin() as connection:
        batch = adopt_batch(
            connection,
            run.run_id,
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
        left = len(open_candidates(connection, batch.batch_id))
    _log.info("batch of a dead run resumed", extra={"batch_id": batch.batch_id, "movies": left})
    return Discovery(batch, left, resumed=True)


def _wait_for_silent_rivals(run: Run, request: IngestRequest) -> None:
    """Wait until each run with an open batch of this source has renewed its lease or lost it.

    A run that was killed a moment ago still looks alive; its work is to be resumed, not done beside it.
    """
    with run.engine.begin() as connection:
        first = live_rival_leases(connection, request.logged_source)
    deadline = time.monotonic() + LEASE_S + RENEW_EVERY_S
    silent = set(first)
    while silent and time.monotonic() < deadline:
        time.sleep(0.5)
        with run.engine.begin() as connection:
            now = live_rival_leases(connection, request.logged_source)
        silent = {run_id for run_id in silent if run_id in now and now[run_id] == first[run_id]}


def _fetch_lists(run: Run, request: IngestRequest) -> _Lists:
    """The lists' pages; the first pages say how many there are, so they are fetched first."""
    lists = _Lists()
    sources = SOURCES[request.source]
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
                request.pages_per_source,
                LAST_PAGE,
                # A list whose first page failed may still have others.
                lists.pages[source, 1].total_pages if (source, 1) in lists.pages else LAST_PAGE,
            )
            for source in sources
        }
        fetch((source, page) for source in sources for page in range(2, last[source] + 1))
    if not lists.pages:
        reason = next(iter(lists.errors.values()))
        raise ListsUnavailable(f"No page of any list could be fetched: {reason}") from reason
    return lists


def _choose(run: Run, request: IngestRequest, lists: _Lists, started_at: datetime) -> Discovery:
    fetched_at = utc_now()
    ranked = _ranked(SOURCES[request.source], lists.pages)
    with run.engine.begin() as connection:
        previous = {source: newest_snapshot(connection, source) for source in SOURCES[request.source]}
        for (source, page), content in lists.pages.items():
            save_snapshot(connection, _snapshot_rows(run.run_id, source, page, content, fetched_at))
        known = known_tmdb_ids(connection, [candidate.tmdb_id for candidate in ranked])
        new = [candidate for candidate in ranked if candidate.tmdb_id not in known]
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
                "started_at": started_at,
            },
            new[: request.max_movies],
        )
    snapshots = [
        _snapshot(source, lists, previous[source])
        for source in SOURCES[request.source]
        if any(of == source for of, _ in lists.pages)
    ]
    problems = [f"{source} page {page}: {error}" for (source, page), error in lists.errors.items()]
    problems += [
        f"{source} page {page}: {problem}" for (source, page), c in lists.pages.items() for problem in c.problems
    ]
    chosen = min(len(new), request.max_movies)
    _log.info(
        "movies discovered",
        extra={"source": batch.source, "checked": len(ranked), "skipped": len(known), "chosen": chosen},
    )
    return Discovery(batch, chosen, resumed=False, snapshots=tuple(snapshots), problems=tuple(problems))


def _snapshot(source: ListSource, lists: _Lists, previous: ListSnapshot | None) -> Snapshot:
    places = [
        Place(str(movie.id), movie.title, _rank(page, index), page)
        for (of, page), content in lists.pages.items()
        if of == source
        for index, movie in enumerate(content.results)
    ]
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


def _ranked(sources: tuple[ListSource, ...], pages: Mapping[tuple[ListSource, int], ListPage]) -> list[Candidate]:
    """Each movie once, best place first; between lists, the order of `sources` decides."""
    places: dict[int, list[tuple[int, int]]] = {}
    titles: dict[int, str] = {}
    for (source, page), content in pages.items():
        for index, movie in enumerate(content.results):
            places.setdefault(movie.id, []).append((_rank(page, index), sources.index(source)))
            titles.setdefault(movie.id, movie.title)
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
            "tmdb_id": str(movie.id),
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
