"""Taking each thing once: TMDB repeats people, companies and movies."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from tmdb_dagster.transform.text import text_or_none

_T = TypeVar("_T")


def distinct_by(items: Iterable[_T], key: Callable[[_T], Hashable]) -> list[_T]:
    """The first item of each key, in order."""
    first: dict[Hashable, _T] = {}
    for item in items:
        first.setdefault(key(item), item)
    return list(first.values())


def distinct_names(names: Iterable[str]) -> list[str]:
    """The names in their order, each once, without blanks."""
    return list(dict.fromkeys(name for name in names if text_or_none(name)))
