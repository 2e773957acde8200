"""An invented movie, as TMDB would answer it, and short ways through the transform."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tmdb_dagster.tmdb.models import parse_movie
from tmdb_dagster.transform.movie import Countries, ImageUrls, MovieRows, ScorePrior, transform_movie

FETCHED_AT = datetime(2026, 11, 23, 2, 22, 7, 654321, tzinfo=UTC)
PRIOR = ScorePrior(mean=6.5, votes=20)
IMAGES = ImageUrls(image_url="https://images.example/t/p/", youtube_url="https://thumbs.example/vi")
COUNTRIES = Countries(watch=("US",), certification="US")
WORK_ID = 41


def movie_body(**changes: Any) -> dict[str, Any]:
    """A full answer; `changes` replace keys."""
    provider = {"provider_id": 8, "provider_name": "Streamland", "logo_path": "/s.jpg", "display_priority": 1}
    return {
        "id": 9001,
        "imdb_id": "tt9990001",
        "title": "The Lighthouse Ledger",
        "original_title": "Het Vuurtorenboek",
        "original_language": "nl",
        "overview": "A keeper counts the ships that never come.",
        "tagline": "Every light has a price.",
        "release_date": "2019-04-12",
        "runtime": 139,
        "budget": 12_000_000,
        "revenue": 2_923_706_026,
        "vote_average": 7.432,
        "vote_count": 1234,
        "popularity": 12.5,
        "poster_path": "/poster.jpg",
        "backdrop_path": "/backdrop.jpg",
        "belongs_to_collection": {
            "id": 70,
            "name": "Ledgers",
            "poster_path": "/c.jpg",
            "backdrop_path": None,
        },
        "genres": [{"id": 1, "name": "Drama"}, {"id": 2, "name": "Mystery"}],
        "production_companies": [{"id": 5, "name": "Pharos", "logo_path": "/l.png", "origin_country": "NL"}],
        "production_countries": [{"iso_3166_1": "NL", "name": "Netherlands"}],
        "spoken_languages": [{"iso_639_1": "nl", "name": "Nederlands", "english_name": "Dutch"}],
        "credits": {"cast": [cast(1), cast(2)], "crew": [crew(11, "Director"), crew(12, "Writer")]},
        "videos": {"results": [video("abc")]},
        "similar": {
            "page": 1,
            "results": [
                {"id": 31, "title": "A", "release_date": "2001-02-03", "poster_path": "/pa.jpg"},
                {"id": 32, "title": "B", "release_date": "", "poster_path": None},
            ],
        },
        "release_dates": {"results": [country_releases("US", ("PG-13", 3))]},
        "images": {"backdrops": [{"file_path": "/b1.jpg"}, {"file_path": "/b2.jpg"}], "posters": []},
        "keywords": {"keywords": [{"id": 3, "name": "lighthouse"}]},
        "watch/providers": {"results": {"US": {"link": "https://example.org/watch", "flatrate": [provider]}}},
        "translations": {"translations": [translation("de", "DE", tagline="Jedes Licht kostet.")]},
        "recommendations": {"page": 1, "results": [{"id": 32, "title": "B"}, {"id": 51, "title": "R"}]},
        "external_ids": {"imdb_id": "tt9990001", "wikidata_id": "Q5", "twitter_id": None, "facebook_id": ""},
        "alternative_titles": {"titles": [{"iso_3166_1": "NL", "title": "De vuurtoren", "type": ""}]},
        **changes,
    }


def translation(language: str, country: str, **texts: Any) -> dict[str, Any]:
    data = {"homepage": "", "overview": "", "runtime": 0, "tagline": "", "title": "", **texts}
    return {"iso_3166_1": country, "iso_639_1": language, "name": "", "english_name": "", "data": data}


def cast(person_id: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": person_id,
        "name": f"Actor {person_id}",
        "character": f"Role {person_id}",
        "order": person_id,
        "gender": 1,
        "profile_path": f"/a{person_id}.jpg",
        "credit_id": "x",
        **changes,
    }


def crew(person_id: int, job: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": person_id,
        "name": f"Crew {person_id}",
        "job": job,
        "department": "Work",
        "profile_path": None,
        **changes,
    }


def video(key: str, **changes: Any) -> dict[str, Any]:
    return {
        "key": key,
        "name": f"Video {key}",
        "site": "YouTube",
        "type": "Trailer",
        "official": True,
        **changes,
    }


def country_releases(country: str, *releases: tuple[str | None, int | None]) -> dict[str, Any]:
    dates = [
        {"certification": text, "type": kind, "release_date": "2019-04-12T00:00:00.000Z"} for text, kind in releases
    ]
    return {"iso_3166_1": country, "release_dates": dates}


def transformed(
    body: dict[str, Any] | None = None,
    *,
    fetched_at: datetime = FETCHED_AT,
    countries: Countries = COUNTRIES,
    urls: ImageUrls = IMAGES,
    **changes: Any,
) -> MovieRows:
    """The rows of the invented movie with `changes`, or of `body`."""
    return transform_movie(
        parse_movie(movie_body(**changes) if body is None else body, fallback="en-US").movie,
        work_id=WORK_ID,
        fetched_at=fetched_at,
        prior=PRIOR,
        countries=countries,
        images=urls,
    )
