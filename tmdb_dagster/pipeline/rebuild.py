"""Rebuilds every derived table from TMDB's stored answers, without one call: how new rules are rolled out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import Connection, Engine

from tmdb_dagster.images.stores import ImageStore
from tmdb_dagster.logs import configure_logging
from tmdb_dagster.pipeline.processes import worker_processes
from tmdb_dagster.pipeline.rehost import urls_shown
from tmdb_dagster.pipeline.tmdb import image_urls
from tmdb_dagster.services.catalogue import catalogue_engine
from tmdb_dagster.services.image_store import open_store
from tmdb_dagster.settings import Settings
from tmdb_dagster.tmdb.errors import InvalidResponse
from tmdb_dagster.tmdb.models import Movie, parse_movie
from tmdb_dagster.transform.image_plan import planned_images
from tmdb_dagster.transform.images import ImageUrls
from tmdb_dagster.transform.movie import Countries, transform_movie
from tmdb_dagster.transform.rows import MovieRows
from tmdb_dagster.transform.score import ScorePrior
from tmdb_dagster.warehouse.images import adopted_urls, image_states, register_images
from tmdb_dagster.warehouse.movies import write_rows
from tmdb_dagster.warehouse.responses import KeptResponse, lock_responses, works_with_response
from tmdb_dagster.warehouse.scores import score_prior
from tmdb_dagster.warehouse.transaction import run_transaction

CHUNK = 50
"""Works rebuilt, and locked, in one transaction."""


IN_THIS_PROCESS = 500
"""So many works are rebuilt before it is worth starting other processes, which load the program first."""


@dataclass(frozen=True)
class Rebuilt:
    """One chunk's result: the works rebuilt, by work_id, and why others could not be, by TMDB id."""

    work_ids: tuple[int, ...]
    problems: dict[int, str]


def rebuild_from_raw(
    engine: Engine,
    settings: Settings,
    on_rebuilt: Callable[[Rebuilt], None],
    tmdb_ids: list[int] | None = None,
) -> None:
    """Rebuild all works that have a stored answer, or those of `tmdb_ids`; `on_rebuilt` gets a result a transaction.

    First it computes anew what scores assume of a movie before its votes.

    Repeatable at any point: what is already so is not rewritten. Images are not fetched: those in the store get
    our URL, the others keep one below our public address that another system gave them, or get TMDB's; a repair
    fetches them. Many works are shared out among processes, as many as there are processors.
    """
    prior = score_prior(engine, update=True)
    chunks = _chunks(engine, tmdb_ids)
    store = open_store(settings)
    for chunk in itertools.islice(chunks, IN_THIS_PROCESS // CHUNK):
        on_rebuilt(_rebuilt(*run_transaction(engine, _rebuild_chunk, chunk, settings, store, prior)))
    with worker_processes(_Worker.open, settings, prior) as pool:
        for rebuilt in pool.map(_Worker.rebuild, chunks):
            on_rebuilt(rebuilt)


def rebuild_rows(engine: Engine, settings: Settings, tmdb_ids: list[int]) -> Iterator[MovieRows]:
    """Rebuild these works in this process, scored as before, and give what was written of each."""
    prior, store = score_prior(engine), open_store(settings)
    for chunk in _chunks(engine, tmdb_ids):
        movies, _ = run_transaction(engine, _rebuild_chunk, chunk, settings, store, prior)
        yield from movies.values()


def _rebuilt(movies: Mapping[int, MovieRows], problems: dict[int, str]) -> Rebuilt:
    return Rebuilt(tuple(movies), problems)


def _chunks(engine: Engine, tmdb_ids: list[int] | None) -> Iterator[list[int]]:
    """The works to rebuild, some at a time."""
    after = 0
    while chunk := run_transaction(engine, works_with_response, after_work_id=after, limit=CHUNK, tmdb_ids=tmdb_ids):
        yield chunk
        after = chunk[-1]


class _Worker:
    """What a process of a rebuild holds."""

    _held: ClassVar[tuple[Engine, Settings, ImageStore | None, ScorePrior]]

    @classmethod
    def open(cls, settings: Settings, prior: ScorePrior) -> None:
        configure_logging(settings.log_format, settings.redact)
        cls._held = catalogue_engine(settings, connections=1), settings, open_store(settings), prior

    @classmethod
    def rebuild(cls, chunk: list[int]) -> Rebuilt:
        engine, settings, store, prior = cls._held
        return _rebuilt(*run_transaction(engine, _rebuild_chunk, chunk, settings, store, prior))


def _rebuild_chunk(
    connection: Connection, chunk: list[int], settings: Settings, store: ImageStore | None, prior: ScorePrior
) -> tuple[dict[int, MovieRows], dict[int, str]]:
    """Rebuild some works: what was written, by work_id, and why others could not be, by TMDB id."""
    images = image_urls(settings)
    parsed: list[tuple[KeptResponse, Movie]] = []
    problems: dict[int, str] = {}
    for response in lock_responses(connection, chunk):
        try:
            read = parse_movie(
                response.body, settings.tmdb_watch_regions, settings.tmdb_language, settings.tmdb_language_fallback
            )
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
            countries=Countries(settings.tmdb_watch_regions, settings.tmdb_certification_country),
            images=shown.get(response.work_id, images),
        )
        for response, movie in parsed
    }
    write_rows(connection, movies)
    return movies, problems


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
