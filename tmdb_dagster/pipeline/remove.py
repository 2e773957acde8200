"""Removes single movies with rows and files, but for what other movies show; keeps movies out, and lets them in."""

from __future__ import annotations

import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from tmdb_dagster.images.stores import ImageStore
from tmdb_dagster.pipeline.errors import InvalidRequest, MovieBusy
from tmdb_dagster.pipeline.ingest import require_ids
from tmdb_dagster.services.image_store import open_store
from tmdb_dagster.settings import Settings
from tmdb_dagster.warehouse.exclusions import exclude, include
from tmdb_dagster.warehouse.removal import Doomed, may_remove, remove_work, what_goes
from tmdb_dagster.warehouse.transaction import run_transaction

BUSY_WAIT_S = 60.0
"""How long to wait for a run that ingests the movie."""

_BUSY_POLL_S = 0.5


@dataclass
class Removed:
    """How many movies and files went."""

    movies: int = 0
    files: int = 0


def check_removal(engine: Engine, tmdb_ids: Collection[int]) -> list[Doomed]:
    """What would go. Raises InvalidRequest where the role may not remove movies, or one is not in the catalogue."""
    with engine.begin() as connection:
        if not may_remove(connection):
            raise InvalidRequest(
                "Removing movies needs the rights of the tables' owner: set DATABASE_URL to the owner's address."
            )
        doomed = what_goes(connection, tmdb_ids)
    unknown = sorted(set(tmdb_ids) - {movie.tmdb_id for movie in doomed})
    if unknown:
        raise InvalidRequest(
            f"The catalogue has no movie {', '.join(map(str, unknown))}; nothing was removed. "
            "To keep a movie out that is not there, use exclude."
        )
    return doomed


def remove_movies(
    engine: Engine, settings: Settings, tmdb_ids: Collection[int], *, excluded_for: str | None = None
) -> Removed:
    """Remove movies, each in a transaction of its own, and keep them out from now on where there is a reason for it.

    A movie that a run ingests, or whose images it fetches, is waited for, up to BUSY_WAIT_S. Raises what
    `check_removal` raises, MovieBusy and StoreError; the movies before it are gone then, and it is whole.
    """
    require_ids(tmdb_ids)
    check_removal(engine, tmdb_ids)
    removed = Removed()
    with ThreadPoolExecutor(settings.movie_images_concurrency) as pool:
        for tmdb_id in tmdb_ids:
            files = _remove(engine, open_store(settings), pool, tmdb_id, excluded_for)
            removed.movies += files is not None
            removed.files += files or 0
    return removed


def exclude_movies(engine: Engine, tmdb_ids: Collection[int], reason: str | None) -> None:
    """Keep movies out from now on; what is there of them stays. Raises InvalidRequest for what is no TMDB id."""
    require_ids(tmdb_ids)
    run_transaction(engine, exclude, tmdb_ids, reason)


def include_movies(engine: Engine, tmdb_ids: Collection[int]) -> set[int]:
    """Let movies in again; returns which of them were kept out. Raises InvalidRequest for what is no TMDB id."""
    require_ids(tmdb_ids)
    return run_transaction(engine, include, tmdb_ids)


def _remove(
    engine: Engine, store: ImageStore | None, pool: ThreadPoolExecutor, tmdb_id: int, excluded_for: str | None
) -> int | None:
    """How many files went; None where somebody else was first."""
    deadline = time.monotonic() + BUSY_WAIT_S
    while True:
        run_id, keys = run_transaction(engine, _remove_once, store, pool, tmdb_id, excluded_for)
        if run_id is None:
            return None if keys is None else len(keys) if store else 0
        if time.monotonic() > deadline:
            raise MovieBusy(
                f"Movie {tmdb_id} is being ingested by run {run_id}, or its images are fetched: try again when "
                "that has ended."
            )
        time.sleep(_BUSY_POLL_S)


def _remove_once(
    connection: Connection,
    store: ImageStore | None,
    pool: ThreadPoolExecutor,
    tmdb_id: int,
    excluded_for: str | None,
) -> tuple[str | None, list[str] | None]:
    """Rows and files go together: what other runs may want of the files is locked until both are gone."""
    run_id, keys = remove_work(connection, tmdb_id)
    # Not before a run that is at it has ended: kept from writing the movie, it would leave its files.
    if excluded_for is not None and run_id is None:
        exclude(connection, [tmdb_id], excluded_for)
    if store is not None and keys:
        list(pool.map(store.delete, keys))
    return run_id, keys
