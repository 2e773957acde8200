"""Our log: one line an event on stderr, as key=value or as JSON, with the run and the movie that it is about.

A module logs as ever, with what it is about in `extra`: _log.info("movie ingested", extra={"tmdb_id": 603}).
structlog writes the lines. It is imported with the first one: it takes as long to load as all else of a short command.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

from tmdb_dagster.shown import CONTROL, visible

if TYPE_CHECKING:
    from structlog.stdlib import ProcessorFormatter
    from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["text", "json"]

# JSON escapes the first 32 itself.
_CONTROL_IN_JSON = {code: f"\\u{code:04x}" for code in CONTROL if code >= 127}


def log_fields(**fields: Any) -> AbstractContextManager[None]:
    """Add fields to every line that is logged within the block, by this thread and by those that inherit them."""
    from structlog.contextvars import bound_contextvars

    return bound_contextvars(**fields)


def inherited() -> Callable[[], object]:
    """For a new thread to call first (as a pool's initializer): it logs with the fields of the thread that made it."""
    from structlog.contextvars import bind_contextvars, get_contextvars

    return partial(bind_contextvars, **get_contextvars())


class EventFormatter(logging.Formatter):
    """A record as one line: when, how bad, what happened, and every field of it."""

    def __init__(self, form: LogFormat, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._form = form
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(self._structlog.format(record))

    @cached_property
    def _structlog(self) -> ProcessorFormatter:
        from structlog.contextvars import merge_contextvars
        from structlog.processors import JSONRenderer, LogfmtRenderer, format_exc_info
        from structlog.stdlib import ExtraAdder, ProcessorFormatter

        text: list[Processor] = [LogfmtRenderer(bool_as_flag=False), _shown]
        as_json: list[Processor] = [JSONRenderer(default=str, ensure_ascii=False), _shown_in_json]
        return ProcessorFormatter(
            foreign_pre_chain=[merge_contextvars, ExtraAdder(), format_exc_info],
            processors=[
                _in_order,
                *(text if self._form == "text" else as_json),
            ],
        )


def _in_order(_logger: WrappedLogger, _level: str, event: EventDict) -> EventDict:
    """What a reader looks for first, first; nothing that is unknown."""
    record: logging.LogRecord = event.pop("_record")
    del event["_from_structlog"]
    event.pop("data", None)  # all that Celery knows of a task
    error = event.pop("exception", None)
    line = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "event": event.pop("event"),
        "run_id": event.pop("run_id", None),
        **event,
        "logger": record.name,
        "error": error,
    }
    return {name: value for name, value in line.items() if value is not None}


def _shown(_logger: WrappedLogger, _level: str, line: Any) -> str:
    return visible(str(line))


def _shown_in_json(_logger: WrappedLogger, _level: str, line: Any) -> str:
    return str(line).translate(_CONTROL_IN_JSON)


class _StandardError(logging.Handler):
    """Writes to what stderr is when something is logged: Dagster and tests exchange it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
        except Exception:  # noqa: BLE001 - a line that cannot be written is told by logging's own means
            self.handleError(record)


_handler = _StandardError()


def configure_logging(form: LogFormat, redact: Callable[[str], str]) -> None:
    """Send what this package logs, from INFO on, Celery's lines and uvicorn's errors to stderr; may be repeated.

    `redact` takes secrets out of each line.
    """
    _handler.setFormatter(EventFormatter(form, redact))
    for name in ("tmdb_dagster", "celery", "uvicorn"):
        logging.getLogger(name).addHandler(_handler)
    logging.getLogger("tmdb_dagster").setLevel(logging.INFO)
