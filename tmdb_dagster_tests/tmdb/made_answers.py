"""Small answers of TMDB's, made up."""

from __future__ import annotations

from typing import Any

PARTS_OF_A_FULL_ANSWER: dict[str, Any] = {
    "credits": {"cast": [], "crew": []},
    "videos": {"results": []},
    "similar": {"results": []},
    "release_dates": {"results": []},
    "images": {"backdrops": [], "posters": []},
    "keywords": {"keywords": []},
    "watch/providers": {"results": {}},
    "translations": {"translations": []},
    "recommendations": {"results": []},
    "external_ids": {"imdb_id": None},
    "alternative_titles": {"titles": []},
}


def movie(**changes: Any) -> dict[str, Any]:
    cast = [{"id": n, "name": f"Actor {n}", "order": n, "character": "", "unheard": 1} for n in (1, 2, 3)]
    return {
        "id": 12,
        "title": "Low Tide",
        "release_date": "2001-02-03",
        **PARTS_OF_A_FULL_ANSWER,
        "credits": {"cast": cast, "crew": [{"id": 4, "name": "D", "job": "Director"}]},
        **changes,
    }


def listed(tmdb_id: int, **changes: Any) -> dict[str, Any]:
    return {"id": tmdb_id, "title": f"Movie {tmdb_id}", "vote_average": 7, "genre_ids": [1], **changes}


def list_page(*rows: Any, **changes: Any) -> dict[str, Any]:
    return {"page": 1, "results": list(rows), "total_pages": 58_329, "total_results": 1_166_580, **changes}
