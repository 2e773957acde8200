"""Our log: one line an event on stderr, as key=value or as JSON, with the run and the movie that it is about.

A module logs as ever, with what it is about in `extra`: _log.info("movie ingested", extra={"tmdb_id": 603}).
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

LogFormat = Literal["text", "json"]

_fields: ContextVar[Mapping[str, Any]] = ContextVar("log_fields", default={})  # noqa: B039 - never changed in place
_OWN = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
_PLAIN = re.compile(r"[^\s\"=\\]+")


@contextmanager
def log_fields(**fields: Any) -> Iterator[None]:
    """Add fields to every line that is logged within the block, by this thread and by those that inherit them."""
    token = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


def inherited() -> Callable[[], None]:
    """For a new thread to call first (as a pool's initializer): it logs with the fields of the thread that made it."""
    fields = _fields.get()

    def inherit() -> None:
        _fields.set(fields)

    return inherit


class EventFormatter(logging.Formatter):
    """A record as one line: when, how bad, what happened, and every field of it."""

    def __init__(self, form: LogFormat) -> None:
        super().__init__()
        self._write = _as_text if form == "text" else _as_json

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **_fields.get(),
            **{name: value for name, value in vars(record).items() if name not in _OWN},
            "logger": record.name,
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return self._write({name: value for name, value in line.items() if value is not None})


class _StandardError(logging.Handler):
    """Writes to what stderr is when something is logged: Dagster and tests exchange it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
        except Exception:  # noqa: BLE001 - a line that cannot be written is told by logging's own means
            self.handleError(record)


_handler = _StandardError()


def configure_logging(form: LogFormat) -> None:
    """Send what this package logs, from INFO on, and the sandbox's servers' errors, to stderr; may be repeated."""
    _handler.setFormatter(EventFormatter(form))
    for name in ("tmdb_dagster", "uvicorn"):
        logging.getLogger(name).addHandler(_handler)
    logging.getLogger("tmdb_dagster").setLevel(logging.INFO)


def _as_json(line: dict[str, Any]) -> str:
    return json.dumps(line, default=str, ensure_ascii=False)


def _as_text(line: dict[str, Any]) -> str:
    return " ".join(f"{name}={_quoted(str(value))}" for name, value in line.items())


def _quoted(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
