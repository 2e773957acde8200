"""The card, its short form and its etag."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from jsonschema_rs import meta

from tmdb_dagster.transform.attribution import TMDB_NOTICE
from tmdb_dagster.transform.card import card_row
from tmdb_dagster.transform.card_schema import CARD_SCHEMA
from tmdb_dagster_tests.transform.builders import FETCHED_AT, WORK_ID, cast, movie_body, transformed
from tmdb_dagster_tests.transform.checks import check_card


def test_the_schema_is_itself_valid() -> None:
    meta.validate(CARD_SCHEMA)


def test_the_card_says_what_the_tables_say() -> None:
    movie = transformed(credits={"cast": [cast(n) for n in range(1, 12)], "crew": []})
    card = card_row(movie)["payload"]
    assert card["work_id"] == WORK_ID
    assert (card["tmdb_id"], card["imdb_id"]) == ("9001", "tt9990001")
    assert (card["year"], card["release_date"]) == (2019, "2019-04-12")
    assert card["poster"] == {
        size: f"https://images.example/t/p/{width}/poster.jpg"
        for size, width in (("small", "w154"), ("medium", "w342"), ("large", "w500"))
    }
    assert card["backdrop"] == movie.meta["backdrop_url"]
    assert card["cast"] == movie.meta["cast_members"][:8]
    assert card["revenue"] == movie.meta["revenue_worldwide"] == 2_923_706_026
    assert card["last_updated"] == "2026-11-23T02:22:07Z"
    for key in ("genres", "overview_short", "certification", "still_images", "trailers", "similar_movie_ids"):
        assert card[key] == dict(movie.meta)[key]
    assert card["similar_movies"] == [
        {"tmdb_id": "31", "title": "A", "year": 2001, "poster": "https://images.example/t/p/w342/pa.jpg"},
        {"tmdb_id": "32", "title": "B", "year": None, "poster": None},
    ]


def test_a_card_of_before_is_still_one() -> None:
    card = card_row(transformed())["payload"]
    del card["similar_movies"]
    check_card(card)


def test_the_short_card() -> None:
    movie = transformed()
    assert card_row(movie)["payload_short"] == {
        "work_id": WORK_ID,
        "tmdb_id": "9001",
        "title": "The Lighthouse Ledger",
        "year": 2019,
        "poster": "https://images.example/t/p/w342/poster.jpg",
        "ai_score": card_row(movie)["payload"]["ai_score"],
    }


def test_every_card_carries_tmdbs_notice_and_logo() -> None:
    tmdb = card_row(transformed())["payload"]["attribution"]["tmdb"]
    assert tmdb["notice"] == TMDB_NOTICE
    assert tmdb["logo_url"].startswith("https://www.themoviedb.org/")


def test_the_etag_is_the_same_at_another_time() -> None:
    first, second = transformed(), transformed(fetched_at=FETCHED_AT + timedelta(days=2))
    assert card_row(first)["payload"] != card_row(second)["payload"]
    assert card_row(first)["etag"] == card_row(second)["etag"]


def test_the_etag_ignores_the_order_of_keys_and_what_the_card_does_not_show() -> None:
    body = movie_body()
    same = {**dict(reversed(body.items())), "popularity": 99.9, "softcore": False}
    assert card_row(transformed(body))["etag"] == card_row(transformed(same))["etag"]


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Another"},
        {"vote_average": 7.9},
        {"poster_path": "/new.jpg"},
        {"runtime": 140},
        {"credits": None},
        {"watch/providers": None},
        {"watch/providers": {"results": {"US": {"rent": [{"provider_id": 1, "provider_name": "X"}]}}}},
        {"images": {"backdrops": []}},
    ],
)
def test_the_etag_changes_with_what_the_card_says(change: dict[str, Any]) -> None:
    assert card_row(transformed(**change))["etag"] != card_row(transformed())["etag"]
