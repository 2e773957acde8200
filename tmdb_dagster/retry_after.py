"""How long a server asks us to wait: a pure reading of its headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER_S = 60.0
"""The longest wait a server can talk us into."""

_SECONDS = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait, 0 to 60, or None where the headers do not say so intelligibly.

    `Retry-After` is a number of seconds or an HTTP date (RFC 9110, 10.2.3). In its absence
    `X-RateLimit-Reset` counts, the Unix time at which the window ends: TMDB sent it until 2019. One in the
    past says nothing. `headers` must be case-insensitive, `now` aware.
    """
    wait = _retry_after(headers.get("Retry-After", "").strip(), now)
    if wait is None:
        wait = _until_reset(headers.get("X-RateLimit-Reset", "").strip(), now)
    return None if wait is None else min(max(wait, 0.0), MAX_RETRY_AFTER_S)


def _retry_after(value: str, now: datetime) -> float | None:
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:  # "-0000": UTC, of unknown origin
        moment = moment.replace(tzinfo=UTC)
    return (moment - now).total_seconds()


def _until_reset(value: str, now: datetime) -> float | None:
    if not _SECONDS.fullmatch(value):
        return None
    wait = float(value) - now.timestamp()
    return wait if wait > 0 else None
