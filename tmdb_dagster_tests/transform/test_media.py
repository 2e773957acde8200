"""Trailers, stills, certification and streaming."""

from __future__ import annotations

from typing import Any

import pytest

from tmdb_dagster.transform.attribution import JUSTWATCH_NOTICE
from tmdb_dagster.transform.card import card_row
from tmdb_dagster.transform.movie import Countries
from tmdb_dagster_tests.transform.builders import country_releases, movie_body, transformed, video
from tmdb_dagster_tests.transform.checks import check_rows

TEASER = {"type": "Teaser"}
UNOFFICIAL = {"official": False}
ELSEWHERE = {"site": "Vimeo"}


@pytest.mark.parametrize(
    ("videos", "expected"),
    [
        ([video("a", **UNOFFICIAL), video("b")], "b"),
        ([video("a", **TEASER), video("b", **UNOFFICIAL), video("c", **UNOFFICIAL)], "b"),
        ([video("a", **TEASER), video("b", **TEASER)], "a"),
        ([video("a", **ELSEWHERE), video("b", **TEASER)], "b"),
        ([video("a", **ELSEWHERE)], None),
        ([{"key": "old", "site": "YouTube", "type": "Trailer"}], "old"),
        ([video("../x"), video("")], None),
        ([], None),
    ],
)
def test_the_main_trailer(videos: list[dict[str, Any]], expected: str | None) -> None:
    meta = transformed(videos={"results": videos}).meta
    assert meta["trailer_youtube_id"] == expected
    thumbnail = f"https://thumbs.example/vi/{expected}/hqdefault.jpg" if expected else None
    assert meta["trailer_thumbnail"] == thumbnail


def test_trailers_are_the_first_ten_on_youtube() -> None:
    videos = [video("v0", **ELSEWHERE), video("v1", **TEASER), video("v1"), *(video(f"v{n}") for n in range(2, 14))]
    found = transformed(videos={"results": videos}).meta["trailers"]
    assert [entry["key"] for entry in found] == [f"v{n}" for n in range(1, 11)]
    assert found[0] == {
        "key": "v1",
        "name": "Video v1",
        "type": "Teaser",
        "thumbnail_url": "https://thumbs.example/vi/v1/hqdefault.jpg",
    }


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([f"/{n}.jpg" for n in range(8)], [0, 1, 2, 3, 4]),
        (["/0.jpg", "/0.jpg", "bad", "/1.jpg"], [0, 1]),
        ([], []),
    ],
)
def test_stills_are_the_first_five_backdrops(paths: list[str], expected: list[int]) -> None:
    meta = transformed(images={"backdrops": [{"file_path": path} for path in paths]}).meta
    assert meta["still_images"] == [f"https://images.example/t/p/w780/{n}.jpg" for n in expected]


def test_without_images_the_stills_are_an_empty_array() -> None:
    assert transformed(images=None).meta["still_images"] == []


@pytest.mark.parametrize(
    ("countries", "expected"),
    [
        ([country_releases("US", ("", 1), ("", 3), ("R", 3), ("R+", 4))], "R"),
        ([country_releases("US", ("NR", 1), ("R", 3))], "R"),
        ([country_releases("US", ("", 3), ("NR", 4), ("PG", 5))], "NR"),
        ([country_releases("US", ("PG", None))], "PG"),
        ([country_releases("US", (None, 3), ("  ", 3))], None),
        ([country_releases("DE", ("16", 3)), country_releases("US", ("R", 3))], "R"),
        ([country_releases("DE", ("16", 3))], None),
        ([country_releases("US"), country_releases("US", ("G", 3))], "G"),
        ([], None),
    ],
)
def test_certification(countries: list[dict[str, Any]], expected: str | None) -> None:
    assert transformed(release_dates={"results": countries}).meta["certification"] == expected


def test_the_certification_is_the_wanted_countrys() -> None:
    countries = [country_releases("US", ("PG-13", 3)), country_releases("DE", ("", 3), ("12", 4))]

    def certification(country: str) -> str | None:
        wanted = Countries(watch=("US",), certification=country)
        return transformed(release_dates={"results": countries}, countries=wanted).meta["certification"]

    assert [certification(country) for country in ("US", "DE", "FR")] == ["PG-13", "12", None]


def _providers(*ids: int) -> list[dict[str, Any]]:
    return [{"provider_id": n, "provider_name": f"P{n}", "logo_path": "", "display_priority": 1} for n in ids]


REGIONS = {
    "US": {"link": "https://example.org/us", "flatrate": _providers(2, 1), "buy": _providers(3)},
    "DE": {"link": "not a URL", "free": _providers(4)},
    "FR": {"rent": _providers(5)},
}


def test_streaming_shows_the_regions_asked_for() -> None:
    movie = transformed(
        movie_body(**{"watch/providers": {"results": REGIONS}}),
        countries=Countries(watch=("us", "DE", "JP"), certification="US"),
    )
    check_rows(movie)
    p = [{"provider_id": n, "provider_name": f"P{n}", "logo_path": None} for n in range(5)]
    nothing: dict[str, Any] = {"flatrate": [], "rent": [], "buy": [], "ads": [], "free": []}
    assert movie.meta["streaming"] == {
        "us": {**nothing, "link": "https://example.org/us", "flatrate": [p[2], p[1]], "buy": [p[3]]},
        "de": {**nothing, "link": None, "free": [p[4]]},
        "updated_at": "2026-11-23T02:22:07Z",
    }
    assert card_row(movie)["payload"]["streaming"] == movie.meta["streaming"]
    assert card_row(movie)["payload"]["attribution"]["justwatch"]["notice"] == JUSTWATCH_NOTICE


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"results": {"FR": REGIONS["FR"]}}, {"updated_at": "2026-11-23T02:22:07Z"}),
        ({"results": {}}, {"updated_at": "2026-11-23T02:22:07Z"}),
        (None, None),
    ],
)
def test_no_offer_is_known_apart_from_no_answer(part: Any, expected: Any) -> None:
    movie = transformed(**{"watch/providers": part})
    check_rows(movie)
    assert movie.meta["streaming"] == expected
    assert card_row(movie)["payload"]["attribution"]["justwatch"] is None
