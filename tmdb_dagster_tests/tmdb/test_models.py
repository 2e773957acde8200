"""What becomes of TMDB's answers, good, half and hostile."""

from __future__ import annotations

import copy
import time
import tracemalloc
from collections.abc import Callable
from datetime import date
from typing import Any

import orjson
import pytest

from tmdb_dagster.tmdb.errors import InvalidResponse
from tmdb_dagster.tmdb.models import (
    parse_list_page,
    parse_movie,
    with_values_from,
)
from tmdb_dagster.tmdb.parts import PARTS, missing_parts, with_parts_from
from tmdb_dagster_tests.tmdb.made_answers import PARTS_OF_A_FULL_ANSWER, list_page, listed, movie


def test_a_full_answer_has_no_problems() -> None:
    parsed = parse_movie(movie())
    assert parsed.problems == ()
    assert (parsed.movie.id, parsed.movie.title, parsed.movie.release_date) == (12, "Low Tide", date(2001, 2, 3))
    assert parsed.movie.credits is not None
    assert [member.name for member in parsed.movie.credits.cast] == ["Actor 1", "Actor 2", "Actor 3"]
    assert parsed.movie.watch_providers is not None


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (None, "body"),
        ([], "body"),
        ("<html>", "body"),
        ({}, "id: .*title: "),
        ({"success": False, "status_code": 34, "status_message": "not found"}, "id: "),
        ({"title": "No id"}, "id: "),
        ({"id": "12", "title": "Text id"}, "id: "),
        ({"id": True, "title": "True"}, "id: "),
        ({"id": 0, "title": "Zero"}, "id: "),
        ({"id": 2**31, "title": "Beyond INTEGER"}, "id: "),
        ({"id": 12, "title": None}, "title: "),
        ({"id": 12, "title": " "}, "title: "),
        ({"id": 12, "title": "\0"}, "title: "),
        ({"id": 12, "title": " ", "original_title": "\u200b"}, "title: "),
    ],
)
def test_an_answer_without_a_usable_id_or_title_is_refused(body: object, names: str) -> None:
    with pytest.raises(InvalidResponse, match=f"Unusable movie: .*{names}"):
        parse_movie(body)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"runtime": "long"}, "runtime: Input should be a valid integer"),
        ({"runtime": 2**31}, "runtime: Input should be less than or equal to 2147483647"),
        ({"runtime": -1}, "runtime: Input should be greater than or equal to 0"),
        ({"budget": 2**63}, "budget: Input should be less than or equal to 9223372036854775807"),
        ({"budget": 1e30}, "budget: Input should be a valid integer"),
        ({"vote_average": float("inf")}, "vote_average: Input should be a finite number"),
        ({"vote_average": float("nan")}, "vote_average: Input should be a finite number"),
        ({"vote_average": "7,1"}, "vote_average: Input should be a valid number"),
        ({"vote_average": True}, "vote_average: Input should be a valid number"),
        ({"runtime": True}, "runtime: Input should be a valid integer"),
        ({"runtime": "-5"}, "runtime: Input should be greater than or equal to 0"),
        ({"release_date": "2001-02-30T00:00:00Z"}, "release_date: Value error, Input should be a date as YYYY-MM-DD"),
        ({"release_date": "03.02.2001"}, "release_date: Value error, Input should be a date as YYYY-MM-DD"),
        ({"release_date": 981158400}, "release_date: Value error, Input should be a date as YYYY-MM-DD"),
        ({"imdb_id": "603"}, "imdb_id: String should match pattern '^(tt[0-9]{1,12})?$'"),
        ({"genres": {"name": "Drama"}}, "genres: Input should be a valid tuple"),
        ({"genres": [None]}, "genres[0]: Input should be a valid dictionary or instance of Genre"),
        ({"keywords": {"keywords": [{"id": 5}]}}, "keywords.keywords[0].name: Field required"),
        ({"videos": "none"}, "videos: Input should be a valid dictionary or instance of Videos"),
        ({"overview": "a\0b"}, "overview: unstorable characters left out"),
    ],
)
def test_a_wrong_value_is_left_out_and_named(change: dict[str, Any], problem: str) -> None:
    parsed = parse_movie(movie(**change))
    assert parsed.problems == (problem,)
    (name,) = change
    expected = parse_movie({key: value for key, value in movie().items() if key != name}).movie
    assert parsed.movie.model_copy(update={name: getattr(expected, name)}) == expected


@pytest.mark.parametrize(
    ("change", "plain"),
    [
        ({"release_date": "2001-02-03T00:00:00.000Z"}, {"release_date": "2001-02-03"}),
        ({"release_date": " 2001-02-03 12:00"}, {"release_date": "2001-02-03"}),
        ({"runtime": "101"}, {"runtime": 101}),
        ({"runtime": " 101 "}, {"runtime": 101}),
        ({"runtime": 101.0}, {"runtime": 101}),
        ({"budget": "160000000"}, {"budget": 160_000_000}),
        ({"vote_average": "7.1"}, {"vote_average": 7.1}),
        ({"vote_count": "12"}, {"vote_count": 12}),
        ({"imdb_id": "tt0000011 "}, {"imdb_id": "tt0000011"}),
        ({"imdb_id": "\u200eTT0000011\n"}, {"imdb_id": "tt0000011"}),
        ({"overview": 1984}, {"overview": "1984"}),
        ({"genres": [{"name": 300}]}, {"genres": [{"name": "300"}]}),
        (
            {"credits": {"cast": [{"id": "5", "name": "A", "order": "1"}]}},
            {"credits": {"cast": [{"id": 5, "name": "A", "order": 1}]}},
        ),
    ],
)
def test_a_value_is_read_for_what_it_plainly_says(change: dict[str, Any], plain: dict[str, Any]) -> None:
    read = parse_movie(movie(**change))
    assert (read.movie, read.problems) == (parse_movie(movie(**plain)).movie, ())


NO_ITEM: list[Any] = [{}, {"id": "x"}]


@pytest.mark.parametrize("element", NO_ITEM, ids=repr)
@pytest.mark.parametrize(
    "hold",
    [
        lambda items: {"genres": items},
        lambda items: {"credits": {"cast": items, "crew": items}},
        lambda items: {"release_dates": {"results": [{"iso_3166_1": "US", "release_dates": items}] * 2}},
        lambda items: {"release_dates": {"results": [{"iso_3166_1": "US", "release_dates": items[:1000]}] * 1000}},
        lambda items: {"watch/providers": {"results": {"US": {"buy": items, "rent": items}}}},
        lambda items: {"watch/providers": {"results": {str(at): item for at, item in enumerate(items)}}},
        lambda items: dict.fromkeys(("genres", "production_companies", "spoken_languages"), items),
    ],
    ids=["genres", "credits", "nested", "nested widely", "providers", "regions", "several"],
)
def test_of_a_list_5000_elements_are_looked_at(hold: Callable[[list[Any]], dict[str, Any]], element: Any) -> None:
    body = movie(**hold([element] * 1_000_000))
    tracemalloc.start()
    started = time.process_time()
    parsed = parse_movie(body)
    seconds = time.process_time() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert parsed.movie.title == "Low Tide"
    assert any("elements are looked at" in problem for problem in parsed.problems)
    assert (peak < 100_000_000, seconds < 20) == (True, True), "tracing costs ten times the time"


def test_what_is_right_among_the_first_is_kept() -> None:
    body = movie(genres=[{"name": "Drama"}, *[{}] * 100_000], keywords={"keywords": [{"name": "sea"}]})
    parsed = parse_movie(body).movie
    assert [genre.name for genre in parsed.genres] == ["Drama"]
    assert parsed.keywords is not None
    assert [keyword.name for keyword in parsed.keywords.keywords] == ["sea"]


def test_a_list_page_is_measured_too() -> None:
    assert [row.id for row in parse_list_page(list_page(listed(1), *[{}] * 1_000_000)).results] == [1]


@pytest.mark.parametrize("value", ["", None])
def test_an_unknown_release_date_is_no_problem(value: str | None) -> None:
    parsed = parse_movie(movie(release_date=value))
    assert (parsed.movie.release_date, parsed.problems) == (None, ())


def test_an_item_goes_only_where_it_lacks_what_makes_it_one() -> None:
    body = movie()
    one, two, three = body["credits"]["cast"]
    one["order"] = "first"
    two["name"] = None
    del three["id"]
    body["credits"]["crew"].append(7)
    parsed = parse_movie(body)
    assert parsed.movie.credits is not None
    assert [(member.name, member.order) for member in parsed.movie.credits.cast] == [("Actor 1", None)]
    assert [member.name for member in parsed.movie.credits.crew] == ["D"]
    assert sorted(problem.split(":")[0] for problem in parsed.problems) == [
        "credits.cast[0].order",
        "credits.cast[1].name",
        "credits.cast[2].id",
        "credits.crew[1]",
    ]


def test_the_body_is_not_changed() -> None:
    body = movie(runtime="x", overview="a\0", genres=[{"name": 1}])
    before = copy.deepcopy(body)
    parse_movie(body)
    assert body == before


def test_problems_are_few_and_quote_no_value() -> None:
    cast = [{"id": "secret", "name": {"secret": 1}} for _ in range(5000)]
    problems = parse_movie(movie(credits={"cast": cast, "crew": []})).problems
    assert len(problems) == 21
    assert problems[-1] == "and 9980 more"
    assert "secret" not in "".join(problems)
    assert all(len(problem) < 200 for problem in problems)


@pytest.mark.parametrize("name", ["unheard_of", "overview", "credits", "genres"])
def test_deep_nesting_costs_only_its_field(name: str) -> None:
    deep: Any = orjson.loads("[" * 900 + '"\\u0000"' + "]" * 900)
    parsed = parse_movie(movie(**{name: deep, "tagline": "a\0b"}))
    assert (parsed.movie.title, parsed.movie.tagline) == ("Low Tide", "ab")


def test_odd_keys_cost_only_their_region() -> None:
    offers = {"link": "https://example.org", "buy": [{"provider_id": 1, "provider_name": "P"}]}
    parsed = parse_movie(movie(**{"watch/providers": {"results": {"\ud800": 5, "U\0": 6, "US": offers}}}))
    assert parsed.movie.watch_providers is not None
    assert parsed.movie.watch_providers.results["US"].buy[0].provider_name == "P"


def test_videos_in_the_language_come_before_those_that_stand_in_for_them() -> None:
    results = [
        {"key": key, "site": "YouTube", "iso_639_1": code}
        for key, code in (("a", "en"), ("b", "de"), ("c", None), ("d", "de"), ("e", "en"))
    ]
    parsed = parse_movie(movie(videos={"results": results}), language="de-DE").movie

    assert parsed.videos is not None
    assert "".join(video.key for video in parsed.videos.results) == "bdace"


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "",
        {},
        {"success": False, "status_code": 11, "status_message": "Internal error"},
        {"status_code": 34},
    ],
)
def test_missing_parts(part: str, content: Any) -> None:
    assert missing_parts(movie()) == ()
    assert missing_parts(movie(**{part: content})) == (part,)
    assert missing_parts({key: value for key, value in movie().items() if key != part}) == (part,)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_with_a_list_of_another_type_or_a_failure_is_missing(part: str) -> None:
    good = PARTS_OF_A_FULL_ANSWER[part]
    assert missing_parts(movie(**{part: {**good, "success": False}})) == (part,)
    assert missing_parts(movie(**{part: {**good, "status_code": 11}})) == (part,)
    assert missing_parts(movie(**{part: dict.fromkeys(good, 5)})) == (part,)
    assert missing_parts({}) == PARTS


def test_missing_parts_are_taken_over_from_the_previous_answer() -> None:
    previous = movie(title="Old", keywords={"keywords": [{"name": "old"}]}, videos=None)
    fresh = movie(credits={"success": False, "status_code": 11}, videos=None)
    del fresh["keywords"]
    merged = with_parts_from(fresh, previous)
    assert merged["title"] == "Low Tide"
    assert merged["credits"] == previous["credits"]
    assert merged["keywords"] == {"keywords": [{"name": "old"}]}
    assert missing_parts(merged) == ("videos",)


def test_good_parts_are_never_replaced_even_by_fuller_ones() -> None:
    fresh = movie(credits={"cast": [], "crew": []})
    assert with_parts_from(fresh, movie()) == fresh
    assert with_parts_from(fresh, None) == fresh


def test_values_that_an_answer_lacks_are_taken_over_from_the_previous_one() -> None:
    previous = movie(runtime=101, imdb_id="tt0000011", budget=5, belongs_to_collection={"id": 1, "name": "Tides"})
    fresh = movie(
        title="\t",
        runtime="long",
        imdb_id="x",
        budget=None,
        belongs_to_collection={"id": 1},
        revenue="many",
        tagline="kept",
        genres=[{"name": "Drama"}, None],
    )
    del fresh["release_date"]

    merged, kept = with_values_from(fresh, previous)

    assert kept == ("belongs_to_collection", "imdb_id", "release_date", "runtime", "title")
    assert merged == {**fresh, **{name: previous[name] for name in kept}}
    assert merged["budget"] is None, "TMDB says that it is unknown"


def test_a_value_that_is_malformed_in_both_stays_as_it_came() -> None:
    fresh = movie(runtime="long")
    assert with_values_from(fresh, movie(runtime=[])) == (fresh, ())
    assert with_values_from(fresh, None) == (fresh, ())


def test_a_list_page() -> None:
    page = parse_list_page(
        list_page(listed(1, release_date="2020-01-02"), listed(2, release_date="", popularity=1.23456))
    )
    assert (page.page, page.total_pages, page.total_results) == (1, 58_329, 1_166_580)
    assert page.problems == ()
    first, second = page.results
    assert (first.id, first.title, first.vote_average, first.release_date) == (1, "Movie 1", 7, date(2020, 1, 2))
    assert (second.release_date, second.poster_path, second.popularity) == (None, None, 1.2346)


def test_bad_rows_are_dropped_and_bad_fields_left_out() -> None:
    rows = [listed(1), None, listed(2, title=None), listed(3, release_date="soon", popularity=1e-400), {"id": None}]
    page = parse_list_page(list_page(*rows, total_results="many"))
    assert [row.id for row in page.results] == [1, 3]
    assert (page.results[1].release_date, page.results[1].popularity, page.total_results) == (None, 0, None)
    assert {problem.split(":")[0] for problem in page.problems} == {
        "results[1]",
        "results[2].title",
        "results[3].release_date",
        "results[4].id",
        "results[4].title",
        "total_results",
    }


def test_an_empty_page_is_a_page() -> None:
    assert parse_list_page(list_page(total_pages=0)).results == ()


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (None, "body"),
        ([], "body"),
        ({"success": False, "status_code": 7}, "results"),
        (list_page(listed(1), page=None), "page"),
        (list_page(listed(1), total_pages="3"), "total_pages"),
        ({**list_page(), "results": {}}, "results"),
        (list_page({"name": "a person"}, 5), r"results\[0\]"),
    ],
)
def test_an_unusable_page_is_refused(body: object, names: str) -> None:
    with pytest.raises(InvalidResponse, match=names):
        parse_list_page(body)
