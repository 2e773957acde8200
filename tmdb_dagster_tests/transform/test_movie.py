"""works, works_meta, similar_movies and rating_sources: the rules that are a line each."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tmdb_dagster.transform.card import card_row
from tmdb_dagster.transform.movie import SCHEMA_VERSION
from tmdb_dagster_tests.transform.builders import WORK_ID, movie_body, transformed
from tmdb_dagster_tests.transform.checks import check_rows


def test_work_row() -> None:
    assert transformed().work == {
        "work_id": WORK_ID,
        "tmdb_id": "9001",
        "imdb_id": "tt9990001",
        "title": "The Lighthouse Ledger",
        "original_title": "Het Vuurtorenboek",
        "year": 2019,
        "release_date": "2019-04-12",
    }


def test_plain_meta_columns() -> None:
    meta = transformed().meta
    assert meta["schema_version"] == SCHEMA_VERSION == 5
    assert meta["fetched_at"] == "2026-11-23T02:22:07.654321+00:00"
    assert (meta["runtime_minutes"], meta["runtime_display"]) == (139, "2h 19m")
    assert (meta["tagline"], meta["original_language"]) == ("Every light has a price.", "nl")
    assert (meta["budget"], meta["revenue_worldwide"]) == (12_000_000, 2_923_706_026)
    assert (meta["genres"], meta["keywords"]) == (["Drama", "Mystery"], ["lighthouse"])
    assert (meta["production_countries"], meta["spoken_languages"]) == (["Netherlands"], ["Nederlands"])
    assert meta["production_companies"] == [{"id": 5, "name": "Pharos", "logo_path": "/l.png"}]
    assert meta["collection"] == {
        "id": 70,
        "name": "Ledgers",
        "poster_path": "/c.jpg",
        "backdrop_path": None,
    }


def test_image_urls() -> None:
    meta = transformed().meta
    base = "https://images.example/t/p"
    assert meta["poster_url_small"] == f"{base}/w154/poster.jpg"
    assert meta["poster_url_medium"] == f"{base}/w342/poster.jpg"
    assert meta["poster_url_large"] == f"{base}/w500/poster.jpg"
    assert meta["poster_url_original"] == f"{base}/original/poster.jpg"
    assert meta["backdrop_url"] == f"{base}/w1280/backdrop.jpg"
    assert meta["backdrop_url_mobile"] == f"{base}/w780/backdrop.jpg"


@pytest.mark.parametrize("path", [None, "", "poster.jpg", "/../../etc/passwd", "/a b.jpg", "https://elsewhere/x.jpg"])
def test_no_image_url_without_a_proper_path(path: str | None) -> None:
    meta = dict(transformed(poster_path=path, backdrop_path=path).meta)
    names = ("small", "medium", "large", "original")
    assert [meta[f"poster_url_{name}"] for name in names] == [None] * 4
    assert (meta["backdrop_url"], meta["backdrop_url_mobile"]) == (None, None)


@pytest.mark.parametrize(
    ("key", "value", "column", "expected"),
    [
        ("imdb_id", "", "imdb_id", None),
        ("imdb_id", None, "imdb_id", None),
        ("imdb_id", "nm0000001", "imdb_id", None),
        ("original_title", "", "original_title", None),
        ("release_date", "", "year", None),
        ("release_date", "", "release_date", None),
        ("release_date", None, "release_date", None),
        ("release_date", "2019-02-30", "release_date", None),
        ("release_date", "0000-01-01", "year", None),
        ("release_date", "2019", "year", None),
        ("release_date", "1896-01-05", "year", 1896),
        ("release_date", "0001-01-01", "release_date", "0001-01-01"),
    ],
)
def test_work_values(key: str, value: Any, column: str, expected: Any) -> None:
    assert dict(transformed(**{key: value}).work)[column] == expected


@pytest.mark.parametrize(
    ("key", "value", "column", "expected"),
    [
        ("runtime", 0, "runtime_minutes", None),
        ("runtime", None, "runtime_minutes", None),
        ("budget", 0, "budget", None),
        ("budget", None, "budget", None),
        ("revenue", 0, "revenue_worldwide", None),
        ("revenue", 2**63, "revenue_worldwide", None),
        ("revenue", 2**63 - 1, "revenue_worldwide", 2**63 - 1),
        ("tagline", "", "tagline", None),
        ("overview", " \n", "overview", None),
        ("original_language", "", "original_language", None),
        ("belongs_to_collection", None, "collection", None),
        ("genres", [], "genres", []),
        ("genres", [{"name": "Drama"}, {"name": ""}, {"name": "Drama"}], "genres", ["Drama"]),
        ("spoken_languages", [{"name": "", "english_name": "Xhosa"}], "spoken_languages", ["Xhosa"]),
        ("spoken_languages", [{"name": ""}], "spoken_languages", []),
        ("keywords", None, "keywords", []),
        (
            "production_companies",
            [{"id": 5, "name": "Pharos", "logo_path": ""}, {"id": 5, "name": "Pharos"}],
            "production_companies",
            [{"id": 5, "name": "Pharos", "logo_path": None}],
        ),
    ],
)
def test_meta_values(key: str, value: Any, column: str, expected: Any) -> None:
    assert dict(transformed(**{key: value}).meta)[column] == expected


def test_similar_movies_are_ten_others_each_once() -> None:
    ids = [31, 32, 31, 9001, *range(40, 60)]
    movie = transformed(similar={"results": [{"id": tmdb_id} for tmdb_id in ids]}, recommendations={"results": []})
    assert movie.meta["similar_movie_ids"] == [31, 32, *range(40, 48)]
    assert movie.similar[2] == {
        "work_id": WORK_ID,
        "similar_tmdb_id": "40",
        "source": "tmdb",
        "rank_order": 3,
        "confidence": 0.3,
        "notes": "Similar on TMDB",
        "title": None,
        "year": None,
        "poster_url": None,
    }
    assert [row["rank_order"] for row in movie.similar] == list(range(1, 11))


def test_recommended_movies_stand_beside_similar_ones() -> None:
    recommended = [{"id": tmdb_id, "title": f"R{tmdb_id}"} for tmdb_id in (9001, 32, 51, 32, *range(60, 80))]
    movie = transformed(recommendations={"results": recommended})

    assert movie.meta["similar_movie_ids"] == [31, 32]
    assert [row["similar_tmdb_id"] for row in movie.similar if row["source"] == "tmdb"] == ["31", "32"]
    found = [row for row in movie.similar if row["source"] == "tmdb_recommendation"]
    assert [row["similar_tmdb_id"] for row in found] == ["32", "51", *map(str, range(60, 68))]
    assert [row["rank_order"] for row in found] == list(range(1, 11))
    assert {row["notes"] for row in found} == {"Recommended on TMDB"}
    assert movie.similar_sources == ("tmdb", "tmdb_recommendation")


@pytest.mark.parametrize(
    ("row", "named"),
    [
        (
            {"title": "A", "release_date": "2001-02-03", "poster_path": "/a.jpg"},
            ("A", 2001, "https://images.example/t/p/w342/a.jpg"),
        ),
        ({"title": " ", "release_date": "", "poster_path": None}, (None, None, None)),
        ({"title": "x" * 5000, "release_date": "soon", "poster_path": "//evil.example/a.jpg"}, (None, None, None)),
        ({"title": ["A"], "release_date": 2001, "poster_path": {}, "adult": "perhaps"}, (None, None, None)),
        ({}, (None, None, None)),
    ],
)
def test_a_similar_movie_is_named_as_far_as_its_row_says(row: dict[str, Any], named: tuple[Any, ...]) -> None:
    movie = transformed(similar={"results": [{"id": 31, **row}]}, recommendations=None)
    check_rows(movie)
    [found] = movie.similar
    assert (found["title"], found["year"], found["poster_url"]) == named


def test_adult_movies_are_named_by_adult_ones_alone() -> None:
    found = {"results": [{"id": 31, "title": "A", "poster_path": "/a.jpg", "adult": True}, {"id": 32, "title": "B"}]}

    def titles(**changes: Any) -> list[str | None]:
        movie = transformed(similar=found, recommendations=None, **changes)
        assert movie.meta["similar_movie_ids"] == [31, 32]
        return [row["title"] for row in movie.similar]

    assert titles() == [None, "B"]
    assert titles(adult=False) == [None, "B"]
    assert titles(softcore=True) == ["A", "B"]


@pytest.mark.parametrize("part", [None, "text", [], {}, {"success": False, "status_code": 34}, {"imdb_id": 7}])
def test_a_part_that_is_not_there_says_nothing(part: Any) -> None:
    movie = transformed(recommendations=part, external_ids=part)
    check_rows(movie)
    assert movie.meta["external_ids"] is None
    assert movie.similar_sources == ("tmdb",)
    assert {row["source"] for row in movie.similar} == {"tmdb"}


def test_external_ids_are_those_that_tmdb_knows() -> None:
    ids = {"imdb_id": None, "wikidata_id": "Q5", "facebook_id": "", "instagram_id": " ", "twitter_id": 12, "new_id": 7}
    assert transformed(external_ids=ids).meta["external_ids"] == {"wikidata_id": "Q5", "twitter_id": "12"}
    assert transformed(external_ids={"imdb_id": None}).meta["external_ids"] == {}


def test_the_barest_answer_makes_rows() -> None:
    movie = transformed({"id": 5, "title": "Untitled"})
    check_rows(movie)
    lists = {name for name, value in movie.meta.items() if value == []}
    assert lists == {
        "genres",
        "keywords",
        "cast_members",
        "crew_members",
        "trailers",
        "still_images",
        "production_companies",
        "production_countries",
        "spoken_languages",
        "similar_movie_ids",
    }
    filled = {name for name, value in movie.meta.items() if value not in (None, [])}
    assert filled == {"work_id", "schema_version", "fetched_at"}


def test_a_full_answer_makes_rows() -> None:
    movie = transformed()
    check_rows(movie)
    assert all(value not in (None, [], "") for value in movie.meta.values())


def test_fetched_at_keeps_its_moment_in_any_zone_and_needs_one() -> None:
    pacific = timezone(timedelta(hours=-8))
    card = card_row(transformed(fetched_at=datetime(2026, 1, 1, 18, tzinfo=pacific)))
    assert card["payload"]["last_updated"] == "2026-01-02T02:00:00Z"
    with pytest.raises(ValueError, match="time zone"):
        transformed(movie_body(), fetched_at=datetime(2026, 1, 1))  # noqa: DTZ001 - the fault under test
