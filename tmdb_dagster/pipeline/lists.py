"""Fetches TMDB's lists, and says which movies they name, best place first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tmdb_dagster.logs import inherited
from tmdb_dagster.pipeline.errors import ListsUnavailable
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.tmdb.client import LAST_PAGE, ListSource
from tmdb_dagster.tmdb.errors import AuthenticationFailed, TmdbError
from tmdb_dagster.tmdb.models import ListPage
from tmdb_dagster.transform.list_movers import Place
from tmdb_dagster.warehouse.batches import Candidate


@dataclass
class Lists:
    """The pages of lists that came, and the errors of those that did not."""

    pages: dict[tuple[ListSource, int], ListPage] = field(default_factory=dict)
    errors: dict[tuple[ListSource, int], TmdbError] = field(default_factory=dict)

    def places(self, source: ListSource) -> list[Place]:
        """Who stands where in a list."""
        return [
            Place(
                movie.id,
                movie.title,
                _rank(page, index),
                page,
                movie.adult or movie.softcore,
                movie.vote_count,
                movie.original_language,
            )
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


def fetch_lists(run: Run, sources: Sequence[ListSource], pages_per_source: int) -> Lists:
    """The lists' pages; the first pages say how many there are, so they are fetched first."""
    lists = Lists()
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


def ranked_candidates(lists: Mapping[ListSource, Sequence[Place]]) -> list[Candidate]:
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


def snapshot_rows(
    run_id: str, source: ListSource, page: int, content: ListPage, fetched_at: datetime
) -> list[dict[str, Any]]:
    """The rows of list_snapshots for a page."""
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
            "adult": movie.adult or movie.softcore,
            "original_language": movie.original_language,
            "fetched_at": fetched_at,
        }
        for index, movie in enumerate(content.results)
    ]


def _rank(page: int, index: int) -> int:
    return (page - 1) * 20 + index + 1
