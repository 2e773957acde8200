"""Rebuilds every derived table from TMDB's stored answers, without one call: how new rules are rolled out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from tmdb_dagster.images.stores import ImageStore
from tmdb_dagster.pipeline.tmdb import image_urls
from tmdb_dagster.services.image_store import open_store
from tmdb_dagster.settings import Settings
from tmdb_dagster.tmdb.errors import InvalidResponse
from tmdb_dagster.tmdb.models import parse_movie
from tmdb_dagster.transform.image_plan import planned_images, with_images
from tmdb_dagster.transform.images import ImageUrls
from tmdb_dagster.transform.movie import transform_movie
from tmdb_dagster.transform.rows import MovieRows
from tmdb_dagster.warehouse.images import image_states, register_images
from tmdb_dagster.warehouse.movies import write_rows
from tmdb_dagster.warehouse.responses import lock_responses
from tmdb_dagster.warehouse.scores import score_prior

CHUNK = 50
"""Works rebuilt, and locked, in one transaction."""


@dataclass(frozen=True)
class Rebuilt:
    """One chunk's result: the works rebuilt, and why others could not be, by TMDB id."""

    movies: dict[int, MovieRows]
    problems: dict[int, str]


def rebuild_from_raw(
    engine: Engine,
    settings: Settings,
    on_rebuilt: Callable[[Rebuilt], None],
    tmdb_ids: list[int] | None = None,
    *,
    update_prior: bool = True,
) -> None:
    """Rebuild all works that have a stored answer, or those of `tmdb_ids`; `on_rebuilt` hears of each transaction.

    `update_prior`: first compute anew what scores assume of a movie before its votes.

    Repeatable at any point: what is already so is not rewritten. Images are not fetched: those in the store get
    our URL, the others TMDB's, and a repair fetches them.
    """
    prior = score_prior(engine, update=update_prior)
    images = image_urls(settings)
    store = open_store(settings)
    wanted = None if tmdb_ids is None else [str(tmdb_id) for tmdb_id in tmdb_ids]
    after = 0
    while True:
        movies: dict[int, MovieRows] = {}
        problems: dict[int, str] = {}
        with engine.begin() as connection:
            for response in lock_responses(connection, after_work_id=after, limit=CHUNK, tmdb_ids=wanted):
                after = response.work_id
                try:
                    movie = parse_movie(response.body, settings.tmdb_watch_regions).movie
                except InvalidResponse as error:
                    problems[response.tmdb_id] = str(error)
                    continue
                movies[response.work_id] = transform_movie(
                    movie,
                    work_id=response.work_id,
                    fetched_at=response.fetched_at,
                    prior=prior,
                    regions=settings.tmdb_watch_regions,
                    images=images,
                )
            if store is not None:
                movies = _with_images(connection, store, images, movies)
            write_rows(connection, movies)
        if not movies and not problems:
            return
        on_rebuilt(Rebuilt(movies, problems))


def _with_images(
    connection: Connection, store: ImageStore, images: ImageUrls, movies: dict[int, MovieRows]
) -> dict[int, MovieRows]:
    wanted = {work_id: planned_images(rows, images) for work_id, rows in movies.items()}
    everything = [image for of_movie in wanted.values() for image in of_movie]
    register_images(connection, everything)
    stored = image_states(connection, store.name, [image.key for image in everything]).stored
    return {work_id: with_images(rows, wanted[work_id], stored, store.public_url) for work_id, rows in movies.items()}
