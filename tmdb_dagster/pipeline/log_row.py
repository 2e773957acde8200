"""Whatever happens to it, an ingest leaves a row in scheduled_ingestion_log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def always_logged(write: Callable[[str | None], None], redact: Callable[[str], str]) -> Iterator[None]:
    """End with `write`, given what went wrong, without secrets, or None."""
    error: str | None = "The run was stopped"
    try:
        yield
        error = None
    except Exception as failure:
        error = redact(str(failure)) or type(failure).__name__
        raise
    finally:
        write(error)
