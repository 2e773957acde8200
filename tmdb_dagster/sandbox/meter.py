"""What the server saw: calls, peaks and violations of the rate limit, all from the calls' arrival times."""

from __future__ import annotations

import re
from collections import Counter, deque
from dataclasses import dataclass, field, fields
from typing import Any

_RATE = re.compile(r"(\d+)/(\d+(?:\.\d+)?)s?")


class Window:
    """Times of the events of the last so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._times: deque[float] = deque()

    def count(self, now: float) -> int:
        """How many events lie less than the window's length before `now`."""
        while self._times and now - self._times[0] >= self.seconds:
            self._times.popleft()
        return len(self._times)

    def add(self, now: float) -> int:
        """Note an event; the number of events in the window that ends with it."""
        self._times.append(now)
        return self.count(now)


class RateLimit:
    """At most `calls` answered calls within any `seconds`; refused calls don't count against it."""

    def __init__(self, calls: int, seconds: float) -> None:
        self.calls = calls
        self._answered = Window(seconds)
        self._arrived = Window(seconds)

    @classmethod
    def parse(cls, text: str) -> RateLimit:
        """Read a rate such as `40/10s` (calls/seconds). Raises ValueError for anything else."""
        found = _RATE.fullmatch(text)
        if found is None or int(found[1]) < 1 or float(found[2]) <= 0:
            raise ValueError(f"A rate limit is written like 40/10s (calls per seconds), not {text!r}.")
        return cls(int(found[1]), float(found[2]))

    def refuses(self, now: float) -> int | None:
        """None where the call may be answered, else the number of calls that arrived within the window."""
        arrived = self._arrived.add(now)
        if self._answered.count(now) >= self.calls:
            return arrived
        self._answered.add(now)
        return None


@dataclass
class Stats:
    """Counters since the start or the last reset; peaks are the most calls that arrived within any 1 s and 10 s."""

    calls: int = 0
    image_calls: int = 0
    by_endpoint: Counter[str] = field(default_factory=Counter)
    rate_limited: int = 0
    violations: int = 0
    peak_1s: int = 0
    peak_10s: int = 0
    faults_fired: int = 0

    def __post_init__(self) -> None:
        self._last_1s = Window(1)
        self._last_10s = Window(10)

    def as_dict(self) -> dict[str, Any]:
        """The counters by name."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {**values, "by_endpoint": dict(self.by_endpoint)}

    def arrived(self, now: float) -> None:
        """Note an API call that arrived at that time (seconds of a monotonic clock)."""
        self.calls += 1
        self.peak_1s = max(self.peak_1s, self._last_1s.add(now))
        self.peak_10s = max(self.peak_10s, self._last_10s.add(now))
