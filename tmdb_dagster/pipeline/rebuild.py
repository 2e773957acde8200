"""Rebuilds every derived table from TMDB's stored answers, without one call: how new rules are rolled out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from tmdb_dagster.images.stores import ImageStore
from tmdb_dagster.pipeline.rehost import urls_shown
from tmdb_dagster.pipeline.tmdb import image_urls
from tmdb_dagster.services.image_store import open_store
from tmdb_dagster.settings import Settings
from tmdb_dagster.tmdb.errors import InvalidResponse
from tmdb_dagster.tmdb.models import Movie, parse_movie
from tmdb_dagster.transform.image_plan import planned_images
from tmdb_dagster.transform.images import ImageUrls
from tmdb_dagster.transform.movie import transform_movie
from tmdb_dagster.transform.rows import MovieRows
from tmdb_dagster.transform.score import ScorePrior
from tmdb_dagster.warehouse.images import adopted_urls, image_states, register_images
from tmdb_dagster.warehouse.movies import write_rows
from tmdb_dagster.warehouse.responses import KeptResponse, lock_responses
from tmdb_dagster.warehouse.scores import score_prior
from tmdb_dagster.warehouse.transaction import run_transaction

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
    """Rebuild all works that have a stored answer, or those of `tmdb_ids`; `on_rebuilt` gets a result a transaction.

    `update_prior`: first compute anew what scores assume of a movie before its votes.

    Repeatable at any point: what is already so is not rewritten. Images are not fetched: those in the store get
    our URL, the others keep one below our public address that another system gave them, or get TMDB's; a repair
    fetches them.
    """
    prior = score_prior(engine, update=update_prior)
    store = open_store(settings)
    after: int | None = 0
    while after is not None:
        after, rebuilt = run_transaction(
            engine, _rebuild_chunk, after, tmdb_ids=tmdb_ids, settings=settings, store=store, prior=prior
        )
        if after is not None:
            on_rebuilt(rebuilt)


def _rebuild_chunk(  # noqa: PLR0913 - what one transaction needs
    connection: Connection,
    after: int,
    *,
    tmdb_ids: list[int] | None,
    settings: Settings,
    store: ImageStore | None,
    prior: ScorePrior,
) -> tuple[int | None, Rebuilt]:
    """Rebuild the works that follow `after`; also returns the last one's id, None where there are no more."""
    images = image_urls(settings)
    parsed: list[tuple[KeptResponse, Movie]] = []
    problems: dict[int, str] = {}
    last = None
    for response in lock_responses(connection, after_work_id=after, limit=CHUNK, tmdb_ids=tmdb_ids):
        last = response.work_id
        try:
            read = parse_movie(response.body, settings.tmdb_watch_regions, settings.tmdb_language)
            parsed.append((response, read.movie))
        except InvalidResponse as error:
            problems[response.tmdb_id] = str(error)
    shown = _images_shown(connection, images, store, parsed)
    movies = {
        response.work_id: transform_movie(
            movie,
            work_id=response.work_id,
            fetched_at=response.fetched_at,
            prior=prior,
            regions=settings.tmdb_watch_regions,
            images=shown.get(response.work_id, images),
        )
        for response, movie in parsed
    }
    write_rows(connection, movies)
    return last, Rebuilt(movies, problems)


def _images_shown(
    connection: Connection, images: ImageUrls, store: ImageStore | None, parsed: Sequence[tuple[KeptResponse, Movie]]
) -> dict[int, ImageUrls]:
    """The URLs for each movie's rows, by work_id; none where images stay at TMDB."""
    if store is None:
        return {}
    wanted = {kept.work_id: planned_images(movie, kept.work_id, kept.fetched_at) for kept, movie in parsed}
    everything = [image for of_movie in wanted.values() for image in of_movie]
    register_images(connection, everything)
    stored = image_states(connection, store.name, [image.key for image in everything]).stored
    missing = {image.key for image in everything} - stored.keys()
    adopted = adopted_urls(connection, store.public_url(""), list(wanted), sorted(missing)) if missing else {}
    return {
        work_id: urls_shown(images, store, of_movie, stored, adopted.get(work_id, {}))
        for work_id, of_movie in wanted.items()
    }
