"""How our errors reach Dagster: one clear message in the run."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from dagster import Failure

from tmdb_dagster.errors import TmdbDagsterError

PERMANENT = "permanent"
"""The metadata of a failure that says whether the run would fail again, until a person does something."""


@contextmanager
def clear_failures() -> Iterator[None]:
    """Turn what this package raises on purpose into a Failure with its text, which says what was wrong and what to do.

    Anything else is a fault of the program and keeps its stack trace, unless that would show a secret. Dagster's own
    retries stay off: what can be tried again has been, nearer to the cause, and a schedule's run is tried again whole.
    """
    try:
        yield
    except TmdbDagsterError as error:
        told = {PERMANENT: error.permanent}
        raise Failure(description=_redacted(str(error)), metadata=told, allow_retries=False) from None
    except Exception as error:
        trace = "".join(traceback.format_exception(error))
        if (shown := _redacted(trace)) == trace:
            raise
        raise Failure(description=shown, allow_retries=False) from None


def _redacted(text: str) -> str:
    from tmdb_dagster.settings import SettingsError, load_settings

    try:
        return load_settings().redact(text)
    except SettingsError:
        return text  # it names the settings that are wrong, and no run has begun
