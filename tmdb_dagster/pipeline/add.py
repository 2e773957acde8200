"""Adds movies that a person names: by TMDB id, IMDb id, a page's address, or title."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from tmdb_dagster.pipeline.enrich import enrich
from tmdb_dagster.pipeline.errors import InvalidRequest
from tmdb_dagster.pipeline.ingest import require_ids
from tmdb_dagster.pipeline.outcome import OnSettled
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.tmdb.errors import MovieNotFound
from tmdb_dagster.tmdb.models import ListedMovie
from tmdb_dagster.warehouse.claims import Target
from tmdb_dagster.warehouse.exclusions import excluded_among
from tmdb_dagster.warehouse.refresh_queue import enqueue_requested
from tmdb_dagster.warehouse.transaction import run_transaction
from tmdb_dagster.warehouse.works import add_works

MATCHES_SHOWN = 10

_PAGE = re.compile(r"https?://(?:www\.)?themoviedb\.org/movie/([0-9]+)\S*", re.IGNORECASE)
_IMDB = re.compile(r"(?:https?://(?:www\.|m\.)?imdb\.com/title/)?(tt[0-9]{1,12})(?:/\S*)?", re.IGNORECASE)
_WITH_YEAR = re.compile(r"(.*\S)\s*\(([0-9]{4})\)")


@dataclass(frozen=True)
class Addition:
    """How many movies were queued, and how many are there already, complete."""

    queued: int
    complete: int


class _NotOne(Exception):
    """A name that does not mean one movie; the text says why."""


def resolve(run: Run, names: Iterable[str], *, collections: bool = False) -> dict[int, str]:
    """Titles by TMDB id of the movies that are meant; with `collections` the others of their collections, too.

    Raises InvalidRequest, which tells of every name that does not mean one movie, with what it could mean, and of
    movies that are excluded; TmdbError.
    """
    found: dict[int, str] = {}
    problems = []
    for name in dict.fromkeys(name.strip() for name in names):
        try:
            found |= _meant(run, name)
        except (_NotOne, InvalidRequest) as error:
            problems.append(str(error))
    if collections:
        for tmdb_id in list(found):
            try:
                found |= {movie.id: movie.title for movie in run.tmdb.collection_of(tmdb_id)}
            except MovieNotFound:
                problems.append(f"TMDB does not know the movie {tmdb_id}.")
    problems += [
        f"{tmdb_id} is excluded: `tmdb-dagster include {tmdb_id}` lets it in again."
        for tmdb_id in sorted(run_transaction(run.engine, excluded_among, list(found)))
    ]
    if not found and not problems:
        problems.append("No movie is named.")
    if problems:
        raise InvalidRequest("\n".join(["Nothing was added:", *problems]))
    return found


def queue_movies(run: Run, titles: dict[int, str]) -> Addition:
    """Queue the movies ahead of everything, those apart that are complete."""

    def add(connection: Connection) -> int:
        lacking = add_works(connection, titles)
        enqueue_requested(connection, sorted(lacking))
        return len(lacking)

    queued = run_transaction(run.engine, add)
    return Addition(queued, len(titles) - queued)


def ingest_movies(run: Run, titles: dict[int, str], on_settled: OnSettled) -> None:
    """Ingest the movies now; complete and fresh ones cost no call. Raises what `enrich` raises."""
    enrich(run, [Target(tmdb_id, title) for tmdb_id, title in titles.items()], on_settled)


def _meant(run: Run, name: str) -> dict[int, str]:
    if page := _PAGE.fullmatch(name):
        name = page[1]
    if name.isascii() and name.isdigit():
        require_ids([int(name)])
        return {int(name): f"TMDB movie {int(name)}"}
    if imdb := _IMDB.fullmatch(name):
        return _one_of(run, imdb[1].lower(), run.tmdb.find_movies(imdb[1].lower()))
    if not name:
        raise _NotOne("A name is empty: write a TMDB id, an IMDb id, a page's address or a title.")
    if re.match(r"https?:|tt[0-9]", name):
        raise _NotOne(f"{name} is no address of a movie at TMDB or IMDb, and no IMDb id, such as tt0133093.")
    dated = _WITH_YEAR.fullmatch(name)
    matches = run.tmdb.search_movies(dated[1], int(dated[2])) if dated else run.tmdb.search_movies(name)
    return _one_of(run, name, matches.results)


def _one_of(run: Run, name: str, matches: tuple[ListedMovie, ...]) -> dict[int, str]:
    """The one match; nothing is guessed of several."""
    if not matches:
        raise _NotOne(f"TMDB knows no movie {name}.")
    if len(matches) == 1:
        return {matches[0].id: matches[0].title}
    lines = [f"{name} may be, by TMDB id:"]
    for movie in matches[:MATCHES_SHOWN]:
        year = f" ({movie.release_date.year})" if movie.release_date else ""
        lines.append(f"  {movie.id} {movie.title}{year} {run.images.image(movie.poster_path, 'w342') or ''}".rstrip())
    if len(matches) > MATCHES_SHOWN:
        lines.append("  and others: add the year, as in The Matrix (1999)")
    raise _NotOne("\n".join(lines))
