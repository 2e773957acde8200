"""How our errors reach Dagster: one clear message in the run, the error itself as its cause."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import Failure

from tmdb_dagster.errors import TmdbDagsterError


@contextmanager
def clear_failures() -> Iterator[None]:
    """Turn what this package raises on purpose into a Failure with its text.

    Dagster's own retries stay off: what can be tried again has been, nearer to the cause.
    """
    try:
        yield
    except TmdbDagsterError as error:
        raise Failure(description=str(error), allow_retries=False) from error
