"""The contract of the cards as JSON Schema: strict clients decode them, so types and nulls are exact.

Each schema's `$id` ends with its version, MAJOR.MINOR, and `$comment` says how it may grow (GROWTH). Every field has a
description and an example.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tmdb_dagster.transform.attribution import JUSTWATCH_NOTICE, JUSTWATCH_URL, TMDB_LOGO_URL, TMDB_NOTICE, TMDB_URL

Schema = dict[str, Any]

GROWTH = (
    "The $id ends with the version, MAJOR.MINOR. A new MINOR only adds optional fields, and readers ignore fields that "
    "they do not know: so cards of an older and of a newer MINOR can be read alike. Whatever else changes makes a new "
    "MAJOR, and CHANGELOG.md says so: a field that goes, is renamed, becomes optional or null, or gets another type or "
    "meaning."
)


def _field(description: str, example: Any, **rules: Any) -> Schema:
    return {"description": description, **rules, "examples": [example]}


def _text(description: str, example: str) -> Schema:
    return _field(description, example, type="string", minLength=1)


def _any_text(description: str, example: str) -> Schema:
    return _field(description, example, type="string")


def _integer(description: str, example: int, *, minimum: int = 0) -> Schema:
    return _field(description, example, type="integer", minimum=minimum)


def _score(description: str, example: float) -> Schema:
    return _field(description, example, type="number", minimum=0, maximum=100)


def _url(description: str, example: str) -> Schema:
    return _field(description, example, type="string", pattern="^https?://[^/]+/")


def _numeric_text(description: str, example: str) -> Schema:
    return _field(description, example, type="string", pattern="^[1-9][0-9]*$")


def _moment(description: str, example: str) -> Schema:
    pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
    return _field(description, example, type="string", pattern=pattern)


def _date(description: str, example: str) -> Schema:
    return _field(description, example, type="string", pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")


def _object(description: str, *, optional: Collection[str] = (), **properties: Schema) -> Schema:
    """An object with all of the properties, but for `optional` ones, which older cards lack, and no other."""
    return _field(
        description,
        {name: _example(one) for name, one in properties.items()},
        type="object",
        properties=properties,
        required=[name for name in properties if name not in optional],
        additionalProperties=False,
    )


def _array(description: str, items: Schema, **limits: int) -> Schema:
    return _field(description, [_example(items)] * limits.get("minItems", 1), type="array", items=items, **limits)


def _or_null(field: Schema, when: str = "TMDB has none") -> Schema:
    description = f"{field['description'].rstrip('.')}; null where {when}."
    return {**field, "description": description, "type": [field["type"], "null"]}


def _example(field: Schema) -> Any:
    """The example of a field; a reference has that of its definition."""
    name = field.get("$ref", "").removeprefix(_DEFINITION)
    return (_DEFINITIONS[name] if name else field)["examples"][0]


def _offers(how: str) -> Schema:
    return _array(f"Providers where it can be {how}; empty where there are none.", {"$ref": f"{_DEFINITION}provider"})


_POSTER = "https://images.example/posters/7_medium.jpg?v=0f3a9c1e"
_PHOTO = "https://images.example/cast/6384.jpg?v=77ab02d4"
_LOGO = "/pbpMk2JmcoNnQwx5JGpXngfoWtp.jpg"
_WATCH = "https://www.themoviedb.org/movie/603-the-matrix/watch?locale=US"

_DEFINITION = "#/$defs/"
_DEFINITIONS: dict[str, Schema] = {}
_DEFINITIONS["provider"] = _object(
    "A provider.",
    provider_id=_integer("TMDB's id of the provider.", 8),
    provider_name=_text("Its name.", "Netflix"),
    logo_path=_or_null(_text("Its logo's path at TMDB, below https://image.tmdb.org/t/p/<size>.", _LOGO)),
)
_DEFINITIONS["region"] = _object(
    "Where to watch it in one region.",
    link=_or_null(_url("TMDB's page of all offers.", _WATCH)),
    flatrate=_offers("streamed by a subscription"),
    rent=_offers("rented"),
    buy=_offers("bought"),
    ads=_offers("watched with ads"),
    free=_offers("watched for nothing"),
)
_REGION = {"$ref": f"{_DEFINITION}region"}

_CAST_ENTRY = _object(
    "A role.",
    person_id=_numeric_text("TMDB's id of the person.", "6384"),
    name=_text("The person's name.", "Keanu Reeves"),
    character=_or_null(_text("The character.", "Neo")),
    order=_or_null(_integer("Place in the billing, from 0.", 0)),
    photo_url_small=_or_null(_url("Photo, at least 92 pixels wide.", _PHOTO)),
    photo_url_medium=_or_null(_url("Photo, at least 185 pixels wide.", _PHOTO)),
    photo_url_large=_or_null(_url("Photo: 632 pixels high at TMDB; of our store, the same as the others.", _PHOTO)),
    gender=_field("The person's gender.", "male", enum=["female", "male", "non-binary", "unknown"]),
)
_TRAILER = _object(
    "A video on YouTube.",
    key=_text("Its key: https://www.youtube.com/watch?v=<key>.", "vKQi3bBA1y8"),
    name=_any_text("Its name; may be empty.", "Official Trailer"),
    type=_any_text("What it is, in TMDB's words: Trailer, Teaser, Clip, Featurette, ...; may be empty.", "Trailer"),
    thumbnail_url=_or_null(_url("A still of it.", "https://images.example/trailers/7_1.jpg?v=51c0de11")),
)
_UNTOLD = "TMDB does not say it, or the movie is adult beside one that is not"
_SIMILAR_MOVIE = _object(
    "A similar movie.",
    tmdb_id=_numeric_text("TMDB's id of it.", "604"),
    title=_or_null(_text("Its title.", "The Matrix Reloaded"), _UNTOLD),
    year=_or_null(_integer("Year of its release date.", 2003), _UNTOLD),
    poster=_or_null(
        _url(
            "Its poster, 342 pixels wide, at TMDB.", "https://image.tmdb.org/t/p/w342/9TGHDvWrqKBzwDxDodHYXEmOE6J.jpg"
        ),
        _UNTOLD,
    ),
)
_ASKED_AT = _moment("When TMDB was asked, UTC. It does not count for the etag.", "2026-11-23T02:22:07Z")
_STREAMING = {
    "description": "Where to watch it, by region (ISO 3166-1, in lower case), of those of TMDB_WATCH_REGIONS that have "
    "offers; null where TMDB's answer lacked it. Show JustWatch's notice beside it.",
    "type": ["object", "null"],
    "properties": {"updated_at": _ASKED_AT},
    "required": ["updated_at"],
    "patternProperties": {"^[a-z]{2}$": _REGION},
    "propertyNames": {"pattern": "^([a-z]{2}|updated_at)$"},
    # No key is left for it. Programs that make types know no patterns: it tells them of which types the values are.
    "additionalProperties": {"anyOf": [_REGION, {"type": "string"}]},
    "examples": [{"us": _example(_REGION), "updated_at": _example(_ASKED_AT)}],
}
_ATTRIBUTION = _object(
    "Who must be named wherever the card is shown.",
    tmdb=_object(
        "TMDB: notice and logo.",
        notice=_text("The text to show.", TMDB_NOTICE),
        url=_url("Where it leads.", TMDB_URL),
        logo_url=_url("TMDB's logo, an SVG.", TMDB_LOGO_URL),
    ),
    justwatch=_or_null(
        _object(
            "JustWatch, the source of `streaming`.",
            notice=_text("The text to show.", JUSTWATCH_NOTICE),
            url=_url("Where it leads.", JUSTWATCH_URL),
        ),
        "`streaming` has no offers",
    ),
)

_WORK_ID = _integer("Our id of the movie; it never changes.", 7, minimum=1)
_TMDB_ID = _numeric_text("TMDB's id of the movie.", "603")
_TITLE = _text("Title in the configured language (TMDB_LANGUAGE).", "The Matrix")
_YEAR = _or_null(_integer("Year of the release date.", 1999), "the date is")
_AI_SCORE = _or_null(_score("Our score, 0 to 100: TMDB's rating, drawn to the mean where votes are few.", 81.94))


def _root(name: str, version: str, column: str, *, optional: Collection[str] = (), **properties: Schema) -> Schema:
    """The schema of a column of work_cards_cache."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:tmdb-dagster:{name}:{version}",
        "$comment": GROWTH,
        "title": f"work_cards_cache.{column}",
        **_object("A movie as an app shows it.", optional=optional, **properties),
    }


CARD_SCHEMA: Schema = _root(
    "card",
    "1.1",
    "payload",
    optional=("similar_movies",),
    work_id=_WORK_ID,
    tmdb_id=_TMDB_ID,
    imdb_id=_or_null(_text("IMDb's id.", "tt0133093"), "it is unknown, or another movie has it"),
    title=_TITLE,
    original_title=_or_null(_text("Title in the original language.", "The Matrix")),
    year=_YEAR,
    release_date=_or_null(_date("Release date.", "1999-03-31")),
    runtime_minutes=_or_null(_integer("Runtime in minutes.", 136)),
    runtime_display=_or_null(_text("Runtime for people.", "2h 16m")),
    tagline=_or_null(_text("Tagline.", "Welcome to the Real World.")),
    overview=_or_null(_text("What it is about.", "Set in the 22nd century, The Matrix tells the story of a hacker.")),
    overview_short=_or_null(
        _text(
            "The overview's first 150 characters, with ... where it was cut.", "Set in the 22nd century, The Matrix..."
        )
    ),
    genres=_array("Names of the genres; empty where TMDB has none.", _text("A genre.", "Action")),
    poster=_object(
        "URLs of the poster.",
        small=_or_null(
            _url("154 pixels wide, at TMDB.", "https://image.tmdb.org/t/p/w154/p96dm7sCMn4VYAStA6siNz30G1r.jpg")
        ),
        medium=_or_null(_url("342 pixels wide.", _POSTER)),
        large=_or_null(_url("500 pixels wide.", "https://images.example/posters/7_large.jpg?v=9be4411f")),
    ),
    backdrop=_or_null(_url("URL of the backdrop.", "https://images.example/backdrops/7.jpg?v=c2d90f66")),
    trailer_youtube_id=_or_null(_text("YouTube's key of the main trailer.", "vKQi3bBA1y8")),
    trailer_thumbnail=_or_null(_url("A still of it.", "https://images.example/trailers/7_thumb.jpg?v=51c0de11")),
    certification=_or_null(_text("Certification, in the country of TMDB_CERTIFICATION_COUNTRY.", "R")),
    cast=_array("The first roles in the order of the billing; empty where TMDB has none.", _CAST_ENTRY, maxItems=8),
    director=_or_null(_text("Name of the first director.", "Lana Wachowski")),
    writer=_or_null(_text("Name of the first writer.", "Lilly Wachowski")),
    screenplay=_or_null(_text("Name of the first author of the screenplay.", "Lana Wachowski")),
    composer=_or_null(_text("Name of the first composer.", "Don Davis")),
    ai_score=_AI_SCORE,
    ai_score_range={
        **_or_null(
            _array(
                "Lowest and highest value that the score may have.",
                _score("An end of it.", 81.3),
                minItems=2,
                maxItems=2,
            )
        ),
        "examples": [[81.3, 82.58]],
    },
    source_scores=_object(
        "Ratings by source.",
        tmdb=_object(
            "TMDB's.",
            score=_score("The rating, 0 to 100; 0 without votes.", 82.25),
            votes=_integer("Number of votes.", 26_000),
        ),
    ),
    similar_movie_ids=_array(
        "TMDB ids of similar movies, the nearest first; the catalogue need not have them.",
        _integer("A TMDB id.", 604, minimum=1),
        maxItems=10,
    ),
    similar_movies=_array(
        "The same movies with what a tile shows. Cards that were made before this field lack it.",
        _SIMILAR_MOVIE,
        maxItems=10,
    ),
    still_images=_array(
        "URLs of stills, 780 pixels wide; empty where TMDB has none.",
        _url("A still.", "https://images.example/stills/7_1.jpg?v=3d5c8a70"),
        maxItems=5,
    ),
    trailers=_array("Videos on YouTube, trailers or not; empty where TMDB has none.", _TRAILER, maxItems=10),
    streaming=_STREAMING,
    budget=_or_null(_integer("Budget in US dollars.", 63_000_000)),
    revenue=_or_null(_integer("Revenue in the whole world, in US dollars.", 463_517_383)),
    last_updated=_moment(
        "When TMDB's answer was fetched, UTC. It does not count for the etag.", "2026-11-23T02:22:07Z"
    ),
    attribution=_ATTRIBUTION,
) | {"$defs": _DEFINITIONS}
"""JSON Schema 2020-12 of `work_cards_cache.payload`. Every key is there, but for `similar_movies` in older cards."""

CARD_SHORT_SCHEMA: Schema = _root(
    "card_short",
    "1.0",
    "payload_short",
    work_id=_WORK_ID,
    tmdb_id=_TMDB_ID,
    title=_TITLE,
    year=_YEAR,
    poster=_or_null(_url("URL of the poster, 342 pixels wide.", _POSTER)),
    ai_score=_AI_SCORE,
)
"""JSON Schema 2020-12 of `work_cards_cache.payload_short`."""
