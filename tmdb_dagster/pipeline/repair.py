"""Mends what is missing of the images, without asking TMDB's API: everything that is needed is stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tmdb_dagster.pipeline.errors import InvalidRequest
from tmdb_dagster.pipeline.rebuild import rebuild_from_raw
from tmdb_dagster.pipeline.rehost import ImageReport, Rehoster
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.transform.rows import MovieRows
from tmdb_dagster.warehouse.images import (
    due_images,
    images_of,
    mark_lost,
    mark_moved,
    time_of_listing,
    works_behind,
    works_without_plan,
)

PAGE = 400
"""Images that are fetched before the next ones are looked up."""

ERRORS_KEPT = 20


@dataclass
class RepairReport:
    """What a repair did: files found `lost`, `fetched` ones and their bytes, those that `failed`, movies updated."""

    lost: int = 0
    fetched: int = 0
    failed: int = 0
    bytes: int = 0
    movies: int = 0
    errors: list[str] = field(default_factory=list)


class ImageRepair:
    """Fetches the missing images that are due (`everything`: all of them), and updates the movies that show them.

    `verify` first compares the inventory with the store. Movies that were ingested before images were rehosted are
    taken along. Iterate over `movies`, then read `report`. Raises InvalidRequest where there is no store.
    """

    def __init__(self, run: Run, *, everything: bool, verify: bool) -> None:
        self._run = run
        self._rehoster = _rehoster(run)
        self._everything = everything
        self._verify = verify
        self.report = RepairReport()

    def movies(self) -> Iterator[MovieRows]:
        """Repair; yields the rows of each movie that was updated. Raises StoreError where files cannot be listed."""
        if self._verify:
            self.report.lost = _find_lost(self._run, self._rehoster)
        with self._run.engine.begin() as connection:
            unplanned = works_without_plan(connection)
        for _ in _rebuild(self._run, unplanned):
            pass
        self._fetch_due()
        with self._run.engine.begin() as connection:
            behind = works_behind(connection, self._rehoster.store.name)
        for rows in _rebuild(self._run, behind):
            self.report.movies += 1
            yield rows

    def _fetch_due(self) -> None:
        report, store, after = self.report, self._rehoster.store.name, ""
        while True:
            with self._run.engine.begin() as connection:
                page = due_images(connection, store, after=after, limit=PAGE, everything=self._everything)
            if not page:
                return
            after = page[-1].key
            results, _ = self._rehoster.fetch(page, everything=self._everything)
            errors = [f"{result.image.key}: {result.error}" for result in results if result.error]
            report.failed += len(errors)
            report.fetched += len(results) - len(errors)
            report.bytes += sum(result.bytes for result in results)
            report.errors += errors[: ERRORS_KEPT - len(report.errors)]


def repair_movie(run: Run, tmdb_id: int) -> tuple[MovieRows, ImageReport]:
    """Fetch all that is missing of one movie's images at once, and update its rows.

    Raises InvalidRequest where there is no store, or no answer of TMDB's for the movie.
    """
    rehoster = _rehoster(run)
    if not list(_rebuild(run, [tmdb_id])):
        raise InvalidRequest(f"Movie {tmdb_id} has no stored answer: ingest it first.")
    with run.engine.begin() as connection:
        wanted = images_of(connection, tmdb_id)
    results, states = rehoster.fetch(wanted, everything=True)
    (rows,) = _rebuild(run, [tmdb_id])
    return rows, ImageReport.of(len(wanted), results, states)


def _rehoster(run: Run) -> Rehoster:
    if run.rehoster is None:
        raise InvalidRequest("MOVIE_IMAGES_STORE is none: images stay at TMDB, and there are none to repair.")
    return run.rehoster


def _rebuild(run: Run, tmdb_ids: list[int]) -> Iterator[MovieRows]:
    """Derive the movies' rows anew, by the inventory as it is now."""
    if tmdb_ids:
        for result in rebuild_from_raw(run.engine, run.settings, tmdb_ids, update_prior=False):
            yield from result.movies.values()


def _find_lost(run: Run, rehoster: Rehoster) -> int:
    """Compare the inventory with the store's listing; both are in the order of the keys' bytes."""
    with run.engine.begin() as connection:
        lost = mark_moved(connection, rehoster.store.name)
        listed_at = time_of_listing(connection)
    after = ""
    for page in rehoster.store.pages():
        with run.engine.begin() as connection:
            lost += mark_lost(connection, page, after=after, upto=page[-1], listed_at=listed_at)
        after = page[-1]
    with run.engine.begin() as connection:
        return lost + mark_lost(connection, [], after=after, upto=None, listed_at=listed_at)
