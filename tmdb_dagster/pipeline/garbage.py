"""Python's search for cyclic garbage, while movies are read."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

COLLECT_AFTER = 20_000
"""Python's own 700 cost a third of the CPU of a movie."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look for cyclic garbage less often: a decoded answer is thousands of objects without a cycle among them."""
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
