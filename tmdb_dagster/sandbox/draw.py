"""Random draws that depend on nothing but a key: the same key gives the same movie on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from random import Random
from typing import TypeVar

T = TypeVar("T")


def hashed(*key: int | str) -> int:
    """64 bits that look random and depend on the key alone."""
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=8).digest(), "big")


class Draw(Random):
    """A random generator seeded by a key."""

    def __init__(self, *key: int | str) -> None:
        super().__init__(hashed(*key))

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self.random() < probability

    def pick(self, options: Sequence[T]) -> T:
        """One of the options (several times faster than `choice`)."""
        return options[int(self.random() * len(options))]

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.random() * (high - low + 1))

    def hex24(self) -> str:
        """An identifier such as TMDB's `credit_id`: 24 hexadecimal digits."""
        return f"{self.getrandbits(96):024x}"
