"""How our errors reach Dagster: one clear message in the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import Failure

from tmdb_dagster.errors import TmdbDagsterError


@contextmanager
def clear_failures() -> Iterator[None]:
    """Turn what this package raises on purpose into a Failure with its text, which says what was wrong and what to do.

    Dagster's own retries stay off: what can be tried again has been, nearer to the cause.
    """
    try:
        yield
    except TmdbDagsterError as error:
        raise Failure(description=str(error), allow_retries=False) from None
