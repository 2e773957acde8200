"""Reads TMDB's feed of changed movies, window by window, from where the last reading ended."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta

from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.tmdb.client import LAST_PAGE

# https://developer.themoviedb.org/reference/changes-movie-list: "You can query this method up to 14 days at a time".
LONGEST_WINDOW = timedelta(days=14)


@dataclass(frozen=True)
class ChangeWindow:
    """The movies that changed from `start` to `end` (UTC days), and how many pages said so."""

    start: date
    end: date
    tmdb_ids: frozenset[int]
    pages: int
    complete: bool
    """False where one day has more pages than TMDB serves."""


def changed_movies(run: Run, start: date, end: date) -> Iterator[ChangeWindow]:
    """The changes from `start` to `end`, both included, in windows that follow each other.

    A window begins on the day that the last one ended: whether TMDB counts the last day in, it does not say.
    Raises TmdbError where a page cannot be had; the windows before it were whole.
    """
    with ThreadPoolExecutor(run.settings.tmdb_concurrency, thread_name_prefix="changes") as pool:
        while True:
            window = _window(run, pool, start, min(end, start + LONGEST_WINDOW))
            yield window
            if window.end >= end:
                return
            start = window.end


def _window(run: Run, pool: ThreadPoolExecutor, start: date, end: date) -> ChangeWindow:
    """The window from `start` to `end`, or a shorter one where that has more pages than TMDB serves."""
    first = run.tmdb.changes_page(start, end, 1)
    while first.total_pages > LAST_PAGE and end - start > timedelta(days=1):
        end = start + (end - start) // 2
        first = run.tmdb.changes_page(start, end, 1)
    pages = range(2, min(first.total_pages, LAST_PAGE) + 1)
    others = list(pool.map(lambda page: run.tmdb.changes_page(start, end, page), pages))
    ids = first.ids.union(*(page.ids for page in others))
    return ChangeWindow(start, end, ids, 1 + len(others), first.total_pages <= LAST_PAGE)
