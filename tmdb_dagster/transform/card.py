"""The card: all that an app shows of a movie, in one JSON object (card_schema.py describes it)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tmdb_dagster.transform.attribution import attribution
from tmdb_dagster.transform.fingerprint import fingerprint
from tmdb_dagster.transform.rows import CardRow, MovieRows
from tmdb_dagster.transform.similar import SIMILAR
from tmdb_dagster.transform.streaming import shows_offers
from tmdb_dagster.transform.text import utc_seconds

_CAST_LENGTH = 8


def card_row(movie: MovieRows) -> CardRow:
    """The card of a movie, made of its other rows, so that it shows what the tables say."""
    work, meta, score = movie.work, movie.meta, movie.aggregates[-1]
    payload = _payload(movie)
    return {
        "work_id": work["work_id"],
        "payload": payload,
        "payload_short": {
            "work_id": work["work_id"],
            "tmdb_id": work["tmdb_id"],
            "title": work["title"],
            "year": work["year"],
            "poster": meta["poster_url_medium"],
            "ai_score": score["ai_score"],
        },
        "etag": _etag(payload),
    }


def _etag(payload: dict[str, Any]) -> str:
    """A hash of what the card says, without the times (`last_updated`, `streaming.updated_at`)."""
    content = {key: value for key, value in payload.items() if key != "last_updated"}
    if content["streaming"] is not None:
        content["streaming"] = {key: value for key, value in content["streaming"].items() if key != "updated_at"}
    return fingerprint(content)


def _payload(movie: MovieRows) -> dict[str, Any]:
    work, meta, score, credited = movie.work, movie.meta, movie.aggregates[-1], movie.credited
    low, high = score["ai_score_low"], score["ai_score_high"]
    return {
        **work,
        "runtime_minutes": meta["runtime_minutes"],
        "runtime_display": meta["runtime_display"],
        "tagline": meta["tagline"],
        "overview": meta["overview"],
        "overview_short": meta["overview_short"],
        "genres": meta["genres"],
        "poster": {
            "small": meta["poster_url_small"],
            "medium": meta["poster_url_medium"],
            "large": meta["poster_url_large"],
        },
        "backdrop": meta["backdrop_url"],
        "trailer_youtube_id": meta["trailer_youtube_id"],
        "trailer_thumbnail": meta["trailer_thumbnail"],
        "certification": meta["certification"],
        "cast": meta["cast_members"][:_CAST_LENGTH],
        "director": credited.director,
        "writer": credited.writer,
        "screenplay": credited.screenplay,
        "composer": credited.composer,
        "ai_score": score["ai_score"],
        "ai_score_range": None if low is None or high is None else [low, high],
        "source_scores": score["source_scores"],
        "similar_movie_ids": meta["similar_movie_ids"],
        "similar_movies": [
            {
                "tmdb_id": row["similar_tmdb_id"],
                "title": row["title"],
                "year": row["year"],
                "poster": row["poster_url"],
            }
            for row in movie.similar
            if row["source"] == SIMILAR
        ],
        "still_images": meta["still_images"],
        "trailers": meta["trailers"],
        "streaming": meta["streaming"],
        "budget": meta["budget"],
        "revenue": meta["revenue_worldwide"],
        "last_updated": utc_seconds(datetime.fromisoformat(meta["fetched_at"])),
        "attribution": attribution(with_justwatch=shows_offers(meta["streaming"])),
    }
