"""The one place that reads the clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime

# Goes on while a machine sleeps, where the system has it; time.monotonic does not.
_UPTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def utc_now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - this is the clock itself


def uptime_s() -> float:
    """Seconds since an arbitrary moment; nobody sets this clock, and it counts while the machine sleeps, too."""
    return time.clock_gettime(_UPTIME)
