"""Texts that are empty are taken from the translations."""

from __future__ import annotations

from typing import Any

import pytest

from tmdb_dagster.tmdb.models import parse_movie
from tmdb_dagster_tests.transform.builders import translation


def texts(*translations: Any, fallback: str = "en-US", **changes: Any) -> tuple[str, str | None, str | None]:
    """Title, overview and tagline of a Japanese movie that is asked for in a language in which it has none."""
    body = {
        "id": 12,
        "title": "",
        "original_title": "Yoake",
        "original_language": "ja",
        "overview": "",
        "tagline": None,
    }
    body |= {"translations": {"translations": list(translations)}, **changes}
    movie = parse_movie(body, fallback=fallback).movie
    return movie.title, movie.overview, movie.tagline


ENGLISH = translation("en", "US", title="Dawn", overview="A night ends.", tagline="Wake up.")
BRITISH = translation("en", "GB", title="Daybreak", overview="A night is over.", tagline="Do wake up.")
JAPANESE = translation("ja", "JP", overview="Yoru ga owaru.", tagline="Okite.")
BRAZILIAN = translation("pt", "BR", title="Aurora", overview="A noite acaba.", tagline="Acorde.")
PORTUGUESE = translation("pt", "PT", title="Alvorada", overview="Termina a noite.", tagline="Acorda.")
ALL = (JAPANESE, BRITISH, PORTUGUESE, BRAZILIAN, ENGLISH)


@pytest.mark.parametrize(
    ("fallback", "expected"),
    [
        ("en-US", ("Dawn", "A night ends.", "Wake up.")),
        ("en-GB", ("Daybreak", "A night is over.", "Do wake up.")),
        ("en-AU", ("Daybreak", "A night is over.", "Do wake up.")),
        ("pt-BR", ("Aurora", "A noite acaba.", "Acorde.")),
        ("pt", ("Alvorada", "Termina a noite.", "Acorda.")),
        ("fr-FR", ("Yoake", "Yoru ga owaru.", "Okite.")),
    ],
)
def test_the_fallbacks_language_comes_first_and_then_the_original_one(
    fallback: str, expected: tuple[str, str, str]
) -> None:
    assert texts(*ALL, fallback=fallback) == expected


def test_each_text_is_looked_for_on_its_own() -> None:
    assert texts(translation("en", "US", title="Dawn"), translation("en", "GB", tagline="Up!"), JAPANESE) == (
        "Dawn",
        "Yoru ga owaru.",
        "Up!",
    )


def test_what_an_answer_says_is_not_replaced() -> None:
    said = {"title": "Morgen", "overview": "Eine Nacht endet.", "tagline": "Wach auf."}
    assert texts(*ALL, **said) == tuple(said.values())
    assert texts(*ALL, **{**said, "tagline": "\u200b\t"}) == ("Morgen", "Eine Nacht endet.", "Wake up.")


def test_an_empty_title_in_the_original_language_is_the_original_one() -> None:
    american = translation("en", "US", title="", overview="A night ends.")
    british = translation("en", "GB", title="Daybreak")
    assert texts(american, british, original_language="en", original_title="Dawn")[0] == "Dawn"
    assert texts(american, british)[0] == "Daybreak", "in a Japanese movie it says nothing"


ODD: list[Any] = [
    None,
    5,
    "en",
    {},
    {"iso_639_1": "en", "iso_3166_1": "US"},
    {"iso_639_1": "en", "iso_3166_1": "US", "data": None},
    {"iso_639_1": "en", "iso_3166_1": "US", "data": ["title"]},
    translation("en", "US", title="", overview=" ", tagline="\0"),
    translation("en", "US", title=7, overview={"a": 1}, tagline=["b"]),
    translation("zh-Hant-TW", "TW", title="?", overview="?"),
    {**ENGLISH, "iso_639_1": ["en"]},
    {**ENGLISH, "iso_639_1": None, "iso_3166_1": {"US": 1}},
]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_translation_costs_only_itself(odd: Any) -> None:
    assert texts(odd) == ("Yoake", "", None)
    assert texts(odd, *ALL, odd) == ("Dawn", "A night ends.", "Wake up.")
    for original in (None, ["ja"], ""):
        assert texts(odd, JAPANESE, original_language=original) == ("Yoake", "", None)


@pytest.mark.parametrize("part", [None, [], "text", {}, {"translations": {"en": 1}}, {"success": False}])
def test_without_translations_the_texts_stay_empty(part: Any) -> None:
    assert texts(translations=part) == ("Yoake", "", None)


def test_ten_thousand_translations_are_looked_through() -> None:
    many = [translation("en", "US") for _ in range(10_000)]
    assert texts(*many, ENGLISH) == ("Dawn", "A night ends.", "Wake up.")
    assert texts(*many, {**ENGLISH, "data": {"title": "x" * 5000}})[0] == "x" * 600


def test_the_body_is_not_changed() -> None:
    body = {"id": 12, "title": "", "original_title": "Yoake", "translations": {"translations": [ENGLISH]}}
    before = repr(body)
    assert parse_movie(body, fallback="en-US").movie.title == "Dawn"
    assert repr(body) == before
