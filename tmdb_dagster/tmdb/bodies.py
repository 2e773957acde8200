"""The body of a movie as it is validated: with a title that can be kept, and without what nobody reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tmdb_dagster.tmdb.lenient import clean_text
from tmdb_dagster.tmdb.texts import has_text

LONGEST_TITLE = 600
"""In characters; models.py says why."""

CREW_JOBS = (
    "Director",
    "Writer",
    "Screenplay",
    "Producer",
    "Director of Photography",
    "Original Music Composer",
)
"""The jobs of the crew that are read, in the order in which a card lists them; a crew has a hundred others."""


def with_title(body: Any) -> Any:
    """The body of a movie, or a row of a list, with a title that can be kept, where there is one.

    A blank title gives way to the original one, and an endless one is cut.
    """
    if not isinstance(body, dict) or _is_title(title := body.get("title")):
        return body
    texts = [
        text
        for text in (title, body.get("original_title"))
        if isinstance(text, str) and _is_title(text.strip()[:LONGEST_TITLE])
    ]
    return {**body, "title": texts[0].strip()[:LONGEST_TITLE]} if texts else body


def _is_title(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TITLE and has_text(value)


def with_regions(body: object, regions: Iterable[str]) -> object:
    """The body without the watch providers of other regions: dozens, that cost more than half of its validation."""
    match body:
        case {"watch/providers": {"results": dict(offers)} as providers, **others}:
            wanted = {region: offers[region] for region in regions if region in offers}
            return {**others, "watch/providers": {**providers, "results": wanted}}
    return body


def with_crew(body: object) -> object:
    """The body without the crew of other jobs; what is no member stays, and is a problem at its place here."""
    match body:
        case {"credits": {"crew": list(members)} as parts, **others}:
            return {**others, "credits": {**parts, "crew": list(filter(_is_read, members))}}
    return body


def _is_read(member: object) -> bool:
    job = member.get("job") if isinstance(member, dict) else None
    return not isinstance(job, str) or clean_text(job) in CREW_JOBS
