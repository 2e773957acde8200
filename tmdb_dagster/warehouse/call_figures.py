"""What a run knows of its own calls to TMDB, in a memory that does not grow with their number.

What a failed call is, which endpoint a path belongs to and what the reason in a message is, the SQL functions of the
same names say; they are said again here alone, for calls that are counted before they are in the database.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

ERRORS_KEPT = 50
"""Different errors that are told apart; what comes after them is counted as others."""

OTHER_ERRORS = "Other errors"

_ID = re.compile(r"(?<!/)/[0-9]+\b")
# What tells one failure from another of the same kind.
_PARTICULARS = (
    (re.compile(r"(https?://[^/ ]+)/[^ :]*"), r"\1/..."),
    (_ID, "/{id}"),
    (re.compile(r" \(attempt [0-9]+\)"), ""),
    (re.compile(r": line [0-9]+ column [0-9]+ \(char [0-9]+\)"), ""),
    (re.compile(r"[0-9]+ (bytes|more expected)"), r"\1"),
)


class CallFigures:
    """Counts of calls, and how long they took."""

    def __init__(self) -> None:
        self.calls = 0
        self.retries = 0
        self.rate_limited = 0
        self.failed = 0
        self.bytes = 0
        # By milliseconds, of which a time-out allows only so many.
        self._times: Counter[int] = Counter()

    def add(self, call: Mapping[str, Any]) -> None:
        """Count one call: a mapping of tmdb_api_logs' columns."""
        self.calls += 1
        self.retries += call["retry_count"] > 0
        self.rate_limited += call["http_status"] == 429
        self.failed += is_failed_call(call)
        self.bytes += call["response_size_bytes"] or 0
        self._times[call["response_time_ms"]] += 1

    @property
    def error_rate(self) -> float | None:
        """The share of calls that failed, 0 to 1; None without calls."""
        return self.failed / self.calls if self.calls else None

    def latency_ms(self, percent: float) -> int | None:
        """The time that so many calls in a hundred took at most; None without calls."""
        left = self.calls * percent / 100
        for milliseconds in sorted(self._times):
            left -= self._times[milliseconds]
            if left <= 0:
                return milliseconds
        return None


class RunCalls:
    """The calls of one run: all of them, by endpoint, and the errors. Thread-safe."""

    def __init__(self) -> None:
        self.total = CallFigures()
        self.by_endpoint: dict[str, CallFigures] = {}
        self.errors: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, call: Mapping[str, Any]) -> None:
        """Count one call: a mapping of tmdb_api_logs' columns."""
        with self._lock:
            self.total.add(call)
            self.by_endpoint.setdefault(endpoint_pattern(call["endpoint"]), CallFigures()).add(call)
            if is_failed_call(call):
                error = failure_reason(call["error_message"] or f"HTTP {call['http_status']}")
                known = error in self.errors or len(self.errors) < ERRORS_KEPT
                self.errors[error if known else OTHER_ERRORS] += 1

    def of(self, endpoint: str) -> CallFigures:
        """The figures of one endpoint, which may have none."""
        return self.by_endpoint.get(endpoint, CallFigures())


def is_failed_call(call: Mapping[str, Any]) -> bool:
    """Whether a call, a mapping of tmdb_api_logs' columns, had no good answer."""
    status = call["http_status"]
    return call["error_message"] is not None or (status is not None and not 200 <= status < 400)


def endpoint_pattern(endpoint: str) -> str:
    """An endpoint with {id} for ids: /movie/603 is /movie/{id}."""
    return _ID.sub("/{id}", endpoint)


def failure_reason(message: str) -> str:
    """Why something failed, without the movie's id, an image's path, the attempt, and how far a broken answer came."""
    for particular, kind in _PARTICULARS:
        message = particular.sub(kind, message)
    return message
