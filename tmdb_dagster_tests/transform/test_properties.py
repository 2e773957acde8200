"""Whatever TMDB answers: rows that Postgres takes, and damage that stays where it is."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmdb_dagster.tmdb.errors import InvalidResponse
from tmdb_dagster.tmdb.models import parse_movie
from tmdb_dagster.tmdb.parts import PARTS
from tmdb_dagster.transform.card import card_row
from tmdb_dagster_tests.transform.builders import FETCHED_AT, movie_body, transformed
from tmdb_dagster_tests.transform.checks import check_rows

QUICK = settings(max_examples=100, deadline=None, database=None)

ODD_TEXT = st.one_of(st.text(max_size=12), st.text(alphabet="\0\ud800a/", max_size=6), st.just("x" * 3000))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**63, 2**200]),
    st.floats(),
    ODD_TEXT,
)
GARBAGE = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD_TEXT, inner, max_size=3),
    max_leaves=8,
)

# The columns of works and works_meta that a key of TMDB's answer may change.
COLUMNS = {
    "id": {"tmdb_id", "similar_movie_ids"},
    "imdb_id": {"imdb_id"},
    "title": {"title"},
    "original_title": {"original_title"},
    "original_language": {"original_language"},
    "overview": {"overview", "overview_short"},
    "tagline": {"tagline"},
    "release_date": {"year", "release_date"},
    "runtime": {"runtime_minutes", "runtime_display"},
    "budget": {"budget"},
    "revenue": {"revenue_worldwide"},
    "vote_average": set[str](),
    "vote_count": set[str](),
    "popularity": set[str](),
    "poster_path": {"poster_url_small", "poster_url_medium", "poster_url_large", "poster_url_original"},
    "backdrop_path": {"backdrop_url", "backdrop_url_mobile"},
    "belongs_to_collection": {"collection"},
    "genres": {"genres"},
    "production_companies": {"production_companies"},
    "production_countries": {"production_countries"},
    "spoken_languages": {"spoken_languages"},
    "credits": {"cast_members", "crew_members"},
    "videos": {"trailer_youtube_id", "trailer_thumbnail", "trailers"},
    "similar": {"similar_movie_ids"},
    "release_dates": {"certification"},
    "images": {"still_images"},
    "keywords": {"keywords"},
    "watch/providers": {"streaming"},
    "translations": set[str](),
    "recommendations": set[str](),
    "external_ids": {"external_ids"},
    "alternative_titles": set[str](),
}


def _locations(value: Any, location: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [found for key, item in entries for found in _locations(item, (*location, key))]
    return [location, *below] if location else below


LOCATIONS = st.sampled_from(_locations(movie_body()))


def _with(body: dict[str, Any], location: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(body)
    holder: Any = changed
    for step in location[:-1]:
        holder = holder[step]
    holder[location[-1]] = value
    return changed


def _columns(body: dict[str, Any]) -> dict[str, Any]:
    movie = transformed(body)
    check_rows(movie)
    return {**movie.work, **movie.meta}


def test_the_table_of_columns_is_complete() -> None:
    assert COLUMNS.keys() == movie_body().keys() >= set(PARTS)


@given(GARBAGE)
@QUICK
def test_any_json_is_a_movie_or_an_invalid_response(body: Any) -> None:
    try:
        parse_movie(body)
    except InvalidResponse:
        return
    check_rows(transformed(body))


@given(LOCATIONS, GARBAGE)
@QUICK
def test_garbage_costs_only_its_own_columns(location: tuple[Any, ...], garbage: Any) -> None:
    body = _with(movie_body(), location, garbage)
    untouched = copy.deepcopy(body)
    try:
        columns = _columns(body)
    except InvalidResponse:
        assert location in {("id",), ("title",)}
        return
    assert repr(body) == repr(untouched)
    expected = _columns(movie_body())
    changed = {name for name in expected if columns[name] != expected[name]}
    assert changed <= COLUMNS[location[0]]


@given(st.sampled_from(PARTS), GARBAGE)
@QUICK
def test_a_bad_item_costs_only_itself(part: str, garbage: Any) -> None:
    body = movie_body()
    for items in body[part].values():
        if isinstance(items, list):
            items.append(garbage)
    columns = _columns(body)
    expected = _columns(movie_body())
    for name in COLUMNS[part] & {"cast_members", "crew_members", "trailers", "still_images", "keywords"}:
        assert columns[name][: len(expected[name])] == expected[name]


@given(LOCATIONS, GARBAGE, st.integers(0, 10**6))
@QUICK
def test_the_etag_does_not_know_the_time(location: tuple[Any, ...], garbage: Any, seconds: int) -> None:
    body = _with(movie_body(), location, garbage)
    try:
        now = card_row(transformed(body))
    except InvalidResponse:
        return
    later = card_row(transformed(body, fetched_at=FETCHED_AT + timedelta(seconds=seconds)))
    assert now["etag"] == later["etag"]


@pytest.mark.parametrize("location", [("overview",), ("credits", "cast", 0, "name"), ("videos", "results", 0, "name")])
def test_text_that_postgres_refuses_is_cleaned_and_kept(location: tuple[Any, ...]) -> None:
    dirty = transformed(_with(movie_body(), location, "ke\0pt\ud800"))
    clean = transformed(_with(movie_body(), location, "kept"))
    assert dirty == clean
