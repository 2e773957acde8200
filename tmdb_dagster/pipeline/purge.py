"""Removes all that came from TMDB: rows and files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from sqlalchemy import Engine

from tmdb_dagster.pipeline.errors import InvalidRequest
from tmdb_dagster.services.image_store import open_store
from tmdb_dagster.settings import Settings
from tmdb_dagster.warehouse.catalogue import empty_catalogue
from tmdb_dagster.warehouse.leases import RunLease, jobs_at_work

# A bucket may hold what is not ours.
_FOLDERS = ("posters/", "backdrops/", "trailers/", "cast/", "stills/")


def purge(engine: Engine, settings: Settings) -> tuple[int, int]:
    """Remove every movie and every image in the store; returns how many of each.

    Files go first: what is interrupted can be repeated. It holds a lease, as a run does. Raises InvalidRequest while a
    run or another purge is at work, StoreError.
    """
    run_id = f"purge-{uuid4()}"
    with RunLease(engine, run_id=run_id, job="purge"):
        with engine.begin() as connection:
            busy = jobs_at_work(connection, but=run_id)
        if busy:
            raise InvalidRequest(f"{', '.join(busy)} is running: stop it first, or wait for its end.")
        files = 0
        if (store := open_store(settings)) is not None:
            with ThreadPoolExecutor(settings.movie_images_concurrency) as pool:
                for page in list(store.pages()):
                    # One by one: some servers do not know the removal of many at once.
                    files += len(list(pool.map(store.delete, [key for key in page if key.startswith(_FOLDERS)])))
        with engine.begin() as connection:
            return empty_catalogue(connection), files
