"""Faults that a test or a demo can make the server commit, and count that they were committed."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

REMOVE = "__REMOVE__"
"""As a value of a `patch`: delete that key."""


@dataclass(frozen=True)
class Fault:
    """One fault, and which calls it strikes.

    `path` is a regular expression that must match the whole path below `/3` (`/movie/603`), or below the root for
    images (`/t/p/w342/….jpg`, `/vi/….jpg`). Kinds:
    `status` answers with `status` (500 unless given) and `body`, or TMDB's error body where there is none;
    `delay` answers as usual, `delay_s` seconds late (other kinds can be delayed too);
    `drop` closes the connection without an answer; `truncate` sends half the body under the full Content-Length;
    `html` is an HTML error page, with status 200 unless given; `raw_gzip` sends gzip bytes without Content-Encoding;
    `body` answers 200 with `body` (a str is sent as it is, anything else as JSON);
    `patch` merges the dict `body` into the top level of the usual answer (REMOVE deletes a key).
    """

    path: str
    kind: Literal["status", "delay", "drop", "truncate", "html", "raw_gzip", "body", "patch"]
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] | None = None
    delay_s: float = 0.0
    times: int | None = None
    probability: float = 1.0


class FaultPlan:
    """The faults that are armed, in order: a call is struck by the first that fires. Safe to change while serving."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self.clear()

    def add(self, fault: Fault) -> None:
        """Arm a fault. Raises re.error where its path is not a regular expression."""
        pattern = re.compile(fault.path)
        with self._lock:
            self._armed.append((pattern, fault))

    def clear(self) -> None:
        """Disarm all faults, forget how many fired, and start the random numbers anew."""
        with self._lock:
            self._armed: list[tuple[re.Pattern[str], Fault]] = []
            self._fired_by_fault: dict[int, int] = {}
            self._random = Random(self._seed)

    @property
    def fired(self) -> int:
        """How many faults were committed since the last `clear`."""
        with self._lock:
            return sum(self._fired_by_fault.values())

    def strike(self, path: str) -> Fault | None:
        """The fault to commit on a call of that path, counted as fired; None for none."""
        with self._lock:
            for number, (pattern, fault) in enumerate(self._armed):
                fired = self._fired_by_fault.get(number, 0)
                if fault.times is not None and fired >= fault.times:
                    continue
                if pattern.fullmatch(path) and self._random.random() < fault.probability:
                    self._fired_by_fault[number] = fired + 1
                    return fault
        return None
