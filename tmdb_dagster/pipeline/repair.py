"""Mends what is missing of the images, without asking TMDB's API: everything that is needed is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from sqlalchemy import Connection

from tmdb_dagster.pipeline.errors import InvalidRequest
from tmdb_dagster.pipeline.rebuild import rebuild_rows
from tmdb_dagster.pipeline.rehost import ImageReport, Rehoster
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.transform.rows import MovieRows
from tmdb_dagster.warehouse.images import (
    due_images,
    forget_images,
    images_of,
    mark_lost,
    mark_moved,
    orphans,
    works_behind,
    works_without_plan,
)
from tmdb_dagster.warehouse.transaction import run_transaction

PAGE = 400
"""Images that are fetched before the next ones are looked up."""

ORPHANS_AT_ONCE = 50
"""A transaction waits for the removal of so many files."""

ERRORS_KEPT = 20


@dataclass
class RepairReport:
    """What a repair did.

    `orphans`, which no movie shows, were removed; files were found `lost`, `fetched` (with their bytes) or `failed`;
    and movies were updated.
    """

    orphans: int = 0
    lost: int = 0
    fetched: int = 0
    failed: int = 0
    bytes: int = 0
    movies: int = 0
    errors: list[str] = field(default_factory=list)


def _unseen(_so_far: RepairReport) -> None:
    """Nobody waits for the repair."""


def repair_images(
    run: Run,
    on_updated: Callable[[MovieRows], None],
    on_fetched: Callable[[RepairReport], None] = _unseen,
    *,
    everything: bool,
    verify: bool,
) -> RepairReport:
    """Fetch the missing images that are due (`everything`: all of them), and update the movies that show them.

    `verify` first removes images that no movie shows, and compares the inventory with the store. Movies that were
    ingested before images were rehosted are taken along. `on_updated` gets the rows of each updated movie, and
    `on_fetched` the figures so far, every PAGE images. Raises InvalidRequest where there is no store, and StoreError
    where its files cannot be listed.
    """
    rehoster = _rehoster(run)
    report = RepairReport()
    if verify:
        report.orphans = _remove_orphans(run, rehoster)
        report.lost = _find_lost(run, rehoster)
    _rebuild(run, run_transaction(run.engine, works_without_plan))
    for _ in _fetch_due(run, rehoster, report, everything=everything):
        on_fetched(report)
    behind = run_transaction(run.engine, works_behind, rehoster.store.name)

    def updated(rows: MovieRows) -> None:
        report.movies += 1
        on_updated(rows)

    _rebuild(run, behind, updated)
    return report


def _fetch_due(run: Run, rehoster: Rehoster, report: RepairReport, *, everything: bool) -> Iterator[None]:
    """Fetch a page of images at a time into the report."""
    after = ""
    while True:
        page = run_transaction(
            run.engine, due_images, rehoster.store.name, after=after, limit=PAGE, everything=everything
        )
        if not page:
            return
        after = page[-1].key
        results, _ = rehoster.fetch(page, everything=everything)
        errors = [f"{result.image.key}: {result.error}" for result in results if result.error]
        report.failed += len(errors)
        report.fetched += len(results) - len(errors)
        report.bytes += sum(result.bytes for result in results)
        report.errors += errors[: ERRORS_KEPT - len(report.errors)]
        yield


def repair_movie(run: Run, tmdb_id: int) -> tuple[MovieRows, ImageReport]:
    """Fetch all that is missing of one movie's images at once, and update its rows.

    Raises InvalidRequest where there is no store, or no answer of TMDB's for the movie.
    """
    rehoster = _rehoster(run)
    before: list[MovieRows] = []
    _rebuild(run, [tmdb_id], before.append)
    if not before:
        raise InvalidRequest(f"Movie {tmdb_id} has no stored answer: ingest it first.")
    wanted = run_transaction(run.engine, images_of, tmdb_id)
    results, states = rehoster.fetch(wanted, everything=True)
    after: list[MovieRows] = []
    _rebuild(run, [tmdb_id], after.append)
    [rows] = after
    return rows, ImageReport.of(len(wanted), results, states)


def _rehoster(run: Run) -> Rehoster:
    if run.rehoster is None:
        raise InvalidRequest("MOVIE_IMAGES_STORE is none: images stay at TMDB, and there are none to repair.")
    return run.rehoster


def _rebuild(run: Run, tmdb_ids: list[int], on_updated: Callable[[MovieRows], None] | None = None) -> None:
    """Derive the movies' rows anew, by the inventory as it is now."""
    for rows in rebuild_rows(run.engine, run.settings, tmdb_ids) if tmdb_ids else ():
        if on_updated is not None:
            on_updated(rows)


def _remove_orphans(run: Run, rehoster: Rehoster) -> int:
    """Remove the images that no movie shows, file and row together; returns how many."""

    def remove_page(connection: Connection) -> int:
        keys = orphans(connection, ORPHANS_AT_ONCE)
        list(pool.map(rehoster.store.delete, keys))
        forget_images(connection, keys)
        return len(keys)

    removed = 0
    with ThreadPoolExecutor(run.settings.movie_images_concurrency) as pool:
        while count := run_transaction(run.engine, remove_page):
            removed += count
    return removed


def _find_lost(run: Run, rehoster: Rehoster) -> int:
    """Compare the inventory with the store's listing; both are in the order of the keys' bytes."""
    lost = run_transaction(run.engine, mark_moved, rehoster.store.name)
    listed_at = run.lease.now()
    after = ""
    for page in rehoster.store.pages():
        lost += run_transaction(run.engine, mark_lost, page, after=after, upto=page[-1], listed_at=listed_at)
        after = page[-1]
    return lost + run_transaction(run.engine, mark_lost, [], after=after, upto=None, listed_at=listed_at)
