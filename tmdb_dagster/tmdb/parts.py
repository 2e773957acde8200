"""The parts that come with a movie in one call, and which of them an answer lacks.

https://developer.themoviedb.org/docs/append-to-response: at most 20.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any

# What a part must hold to be one: TMDB may give an error object in its place, or nothing.
_REQUIRED: dict[str, dict[str, type | tuple[type, ...]]] = {
    "credits": {"cast": list, "crew": list},
    "videos": {"results": list},
    "similar": {"results": list},
    "release_dates": {"results": list},
    "images": {"backdrops": list},
    "keywords": {"keywords": list},
    "watch/providers": {"results": dict},
}
_OPTIONAL: dict[str, dict[str, type | tuple[type, ...]]] = {
    "translations": {"translations": list},
    "recommendations": {"results": list},
    "external_ids": {"imdb_id": (str, NoneType)},
    "alternative_titles": {"titles": list},
}
_CONTENT = _REQUIRED | _OPTIONAL

REQUIRED_PARTS = tuple(_REQUIRED)
"""The parts without which a movie is incomplete, and is asked for again."""
OPTIONAL_PARTS = tuple(_OPTIONAL)
"""The parts whose absence is nothing but a remark; what was known of them stays."""
PARTS = REQUIRED_PARTS + OPTIONAL_PARTS
"""The values of `append_to_response`, and the keys under which the parts arrive."""


def missing_parts(body: Mapping[str, Any], among: Iterable[str] = PARTS) -> tuple[str, ...]:
    """The parts that an answer lacks: absent, no object, an error object, or without what it must hold."""
    return tuple(part for part in among if not _has_part(body, part))


def with_parts_from(body: Mapping[str, Any], previous: Mapping[str, Any] | None) -> dict[str, Any]:
    """The answer, with the parts that it lacks taken over from a previous answer that has them.

    So a refresh whose credits failed keeps the cast that is known, instead of wiping it.
    """
    known = {part: previous[part] for part in missing_parts(body) if _has_part(previous, part)} if previous else {}
    return {**body, **known}


def _has_part(body: Mapping[str, Any], part: str) -> bool:
    content = body.get(part)
    if not isinstance(content, dict) or content.get("success") is False or "status_code" in content:
        return False
    return all(key in content and isinstance(content[key], kind) for key, kind in _CONTENT[part].items())
