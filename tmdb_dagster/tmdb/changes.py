"""A page of `GET /movie/changes`: which movies changed, not what.

https://developer.themoviedb.org/reference/changes-movie-list
"""

from __future__ import annotations

from dataclasses import dataclass

from tmdb_dagster.tmdb.errors import InvalidResponse


@dataclass(frozen=True)
class ChangesPage:
    """The ids on one page, each once; rows without one are TMDB's own oddity and left out."""

    ids: frozenset[int]
    total_pages: int
    """As TMDB says, which may be more than the 500 pages that it serves."""


def parse_changes_page(body: object) -> ChangesPage:
    """The page in a decoded body.

    Raises InvalidResponse where total_pages or results are unusable, or no row of several has an id: a page that is
    taken for an empty one would lose changes for good.
    """
    if not isinstance(body, dict) or not isinstance(body.get("results"), list):
        raise InvalidResponse("The page of changes has no list of results.")
    total_pages = body.get("total_pages")
    if not isinstance(total_pages, int) or isinstance(total_pages, bool) or total_pages < 0:
        raise InvalidResponse("The page of changes does not say how many pages there are.")
    rows = body["results"]
    ids = frozenset(row["id"] for row in rows if isinstance(row, dict) and _is_id(row.get("id")))
    if len(rows) > 1 and not ids:
        raise InvalidResponse(f"None of the {len(rows)} rows on the page of changes has an id.")
    return ChangesPage(ids, total_pages)


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
