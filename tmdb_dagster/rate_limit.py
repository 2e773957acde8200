"""How many calls may be sent in how much time: what a setting says, and the warehouse keeps to."""

from __future__ import annotations

import re
from dataclasses import dataclass

# The moments of all calls of a window are kept in one row, which every call reads and writes.
MOST_CALLS = 100_000
LONGEST_S = 86_400

_WRITTEN = re.compile(r"\s*(\d+)\s*/\s*(\d+(?:\.\d+)?)?\s*s\s*")


@dataclass(frozen=True)
class RateLimit:
    """At most `calls` in any `seconds`."""

    calls: int
    seconds: float

    @property
    def window(self) -> str:
        """In words: `any second`, `any 10 seconds`."""
        return "any second" if self.seconds == 1 else f"any {self.seconds:g} seconds"

    def __str__(self) -> str:
        return f"{self.calls}/{self.seconds:g}s"


def parse_rate_limit(text: str) -> RateLimit | None:
    """Read `40/10s`, `40/s` (in one second) or `unlimited`, which is None. Raises ValueError for anything else."""
    if text.strip().lower() == "unlimited":
        return None
    found = _WRITTEN.fullmatch(text)
    if not found or int(found[1]) < 1 or float(found[2] or 1) <= 0:
        raise ValueError("expected calls per seconds such as `40/10s` or `40/s`, or `unlimited`")
    if int(found[1]) > MOST_CALLS or float(found[2] or 1) > LONGEST_S:
        raise ValueError(f"expected at most {MOST_CALLS} calls in a window of at most {LONGEST_S} seconds, a day")
    return RateLimit(int(found[1]), float(found[2] or 1))
