"""The contract of a card's payload as JSON Schema: strict clients decode it, so types and nulls are exact."""

from __future__ import annotations

from typing import Any

_STRING = {"type": "string", "minLength": 1}
_TEXT_OR_NULL = {"type": ["string", "null"], "minLength": 1}
_INTEGER = {"type": "integer", "minimum": 0}
_INTEGER_OR_NULL = {"type": ["integer", "null"], "minimum": 0}
_URL = {"type": "string", "pattern": "^https?://[^/]+/"}
_URL_OR_NULL = {"type": ["string", "null"], "pattern": "^https?://[^/]+/"}
_PATH_OR_NULL = {"type": ["string", "null"], "minLength": 1}
_NUMERIC_STRING = {"type": "string", "pattern": "^[1-9][0-9]*$"}
_SCORE = {"type": "number", "minimum": 0, "maximum": 100}
_SCORE_OR_NULL = {"type": ["number", "null"], "minimum": 0, "maximum": 100}
_DATE_OR_NULL = {"type": ["string", "null"], "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
_MOMENT = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"}


def _object(optional: str | None = None, **properties: Any) -> dict[str, Any]:
    """An object with all of the properties, but for the `optional` one, which older ones lack, and no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name != optional],
        "additionalProperties": False,
    }


def _array(items: dict[str, Any], **limits: int) -> dict[str, Any]:
    return {"type": "array", "items": items, **limits}


_PROVIDERS = _array(_object(provider_id=_INTEGER, provider_name=_STRING, logo_path=_PATH_OR_NULL))
_CAST_ENTRY = _object(
    person_id=_NUMERIC_STRING,
    name=_STRING,
    character=_TEXT_OR_NULL,
    order=_INTEGER_OR_NULL,
    photo_url_small=_URL_OR_NULL,
    photo_url_medium=_URL_OR_NULL,
    photo_url_large=_URL_OR_NULL,
    gender={"enum": ["female", "male", "non-binary", "unknown"]},
)
_TRAILER = _object(key=_STRING, name={"type": "string"}, type={"type": "string"}, thumbnail_url=_URL_OR_NULL)
_SIMILAR_MOVIE = _object(tmdb_id=_NUMERIC_STRING, title=_TEXT_OR_NULL, year=_INTEGER_OR_NULL, poster=_URL_OR_NULL)
_STREAMING = {
    "type": ["object", "null"],
    "properties": {"updated_at": _MOMENT},
    "required": ["updated_at"],
    "patternProperties": {
        "^[a-z]{2}$": _object(
            link=_URL_OR_NULL,
            flatrate=_PROVIDERS,
            rent=_PROVIDERS,
            buy=_PROVIDERS,
            ads=_PROVIDERS,
            free=_PROVIDERS,
        )
    },
    "additionalProperties": False,
}
_JUSTWATCH = {**_object(notice=_STRING, url=_URL), "type": ["object", "null"]}

CARD_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "work_cards_cache.payload",
    **_object(
        optional="similar_movies",
        work_id={"type": "integer", "minimum": 1},
        tmdb_id=_NUMERIC_STRING,
        imdb_id=_TEXT_OR_NULL,
        title=_STRING,
        original_title=_TEXT_OR_NULL,
        year=_INTEGER_OR_NULL,
        release_date=_DATE_OR_NULL,
        runtime_minutes=_INTEGER_OR_NULL,
        runtime_display=_TEXT_OR_NULL,
        tagline=_TEXT_OR_NULL,
        overview=_TEXT_OR_NULL,
        overview_short=_TEXT_OR_NULL,
        genres=_array(_STRING),
        poster=_object(small=_URL_OR_NULL, medium=_URL_OR_NULL, large=_URL_OR_NULL),
        backdrop=_URL_OR_NULL,
        trailer_youtube_id=_TEXT_OR_NULL,
        trailer_thumbnail=_URL_OR_NULL,
        certification=_TEXT_OR_NULL,
        cast=_array(_CAST_ENTRY, maxItems=8),
        director=_TEXT_OR_NULL,
        writer=_TEXT_OR_NULL,
        screenplay=_TEXT_OR_NULL,
        composer=_TEXT_OR_NULL,
        ai_score=_SCORE_OR_NULL,
        ai_score_range={**_array(_SCORE, minItems=2, maxItems=2), "type": ["array", "null"]},
        source_scores=_object(tmdb=_object(score=_SCORE, votes=_INTEGER)),
        similar_movie_ids=_array({"type": "integer", "minimum": 1}, maxItems=10),
        similar_movies=_array(_SIMILAR_MOVIE, maxItems=10),
        still_images=_array(_URL, maxItems=5),
        trailers=_array(_TRAILER, maxItems=10),
        streaming=_STREAMING,
        budget=_INTEGER_OR_NULL,
        revenue=_INTEGER_OR_NULL,
        last_updated=_MOMENT,
        attribution=_object(tmdb=_object(notice=_STRING, url=_URL, logo_url=_URL), justwatch=_JUSTWATCH),
    ),
}
"""JSON Schema 2020-12 of `work_cards_cache.payload`. Every key is there, but for `similar_movies` in older cards."""

CARD_SHORT_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "work_cards_cache.payload_short",
    **_object(
        work_id={"type": "integer", "minimum": 1},
        tmdb_id=_NUMERIC_STRING,
        title=_STRING,
        year=_INTEGER_OR_NULL,
        poster=_URL_OR_NULL,
        ai_score=_SCORE_OR_NULL,
    ),
}
"""JSON Schema 2020-12 of `work_cards_cache.payload_short`."""
