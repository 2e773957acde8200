"""Where rehosted images are kept: a small interface, which the local folder and S3 have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

CACHE_CONTROL = "public, max-age=2592000"
"""Thirty days: who replaces a file under its name gives its URL another `?v=`."""

PAGE = 1000
"""Keys listed at once."""


class ImageStore(Protocol):
    """Keeps JPEG files by key. All that it raises is a StoreError. Threads share it."""

    @property
    def name(self) -> str:
        """Which store this is, for the inventory."""
        ...

    def public_url(self, key: str) -> str:
        """Where anybody can read the file."""
        ...

    def put(self, key: str, content: bytes) -> None:
        """Store a file, or replace it as a whole."""
        ...

    def delete(self, key: str) -> None:
        """Remove a file; one that is not there is no error."""
        ...

    def pages(self) -> Iterator[Sequence[str]]:
        """Lists of all keys, in the order of their bytes."""
        ...

    def problems(self) -> list[str]:
        """What keeps the store from working, each with its fix; tries to write, read and remove a file."""
        ...


def pages_of(keys: Iterable[str]) -> Iterator[Sequence[str]]:
    """The keys in the order of their bytes, a page at a time; a million of them take about 100 MB."""
    ordered = sorted(keys, key=str.encode)
    for start in range(0, len(ordered), PAGE):
        yield ordered[start : start + PAGE]
