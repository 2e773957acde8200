"""Looks for movies that TMDB has merged into others, by their IMDb ids."""

from __future__ import annotations

import logging
from collections.abc import Collection

from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.tmdb.errors import AuthenticationFailed, TmdbError
from tmdb_dagster.warehouse.gone import long_gone, note_merged
from tmdb_dagster.warehouse.transaction import run_transaction

_log = logging.getLogger(__name__)


def find_merged(run: Run, tmdb_ids: Collection[int]) -> int:
    """Of these movies, just found gone, look up those that have long been so; returns how many have a successor.

    A look that fails is made again at the next one. Raises AuthenticationFailed.
    """
    found = 0
    for work in run_transaction(run.engine, long_gone, tmdb_ids) if tmdb_ids else ():
        try:
            others = [movie for movie in run.tmdb.find_movies(work.imdb_id) if movie.id != work.tmdb_id]
        except AuthenticationFailed:
            raise
        except TmdbError as error:
            _log.warning("gone movie could not be looked up", extra={"tmdb_id": work.tmdb_id, "reason": str(error)})
            continue
        if len(others) == 1:  # of several none is guessed
            run_transaction(run.engine, note_merged, work.work_id, others[0].id, others[0].title)
            found += 1
    return found
