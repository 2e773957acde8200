from __future__ import annotations

from typing import Any

import pytest

from tmdb_dagster.tmdb.models import parse_list_page, parse_movie
from tmdb_dagster_tests.tmdb.made_answers import list_page, listed, movie


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"title": "   ", "original_title": "Sommaren"}, "Sommaren"),
        ({"title": "\u200b\0", "original_title": " Sommaren "}, "Sommaren"),
        ({"title": None, "original_title": "Sommaren"}, "Sommaren"),
        ({"title": "e" * 100_000, "original_title": "Sommaren"}, "e" * 600),
        ({"title": " ", "original_title": "e" * 100_000}, "e" * 600),
        ({"title": "Low Tide", "original_title": ""}, "Low Tide"),
    ],
)
def test_a_title_that_cannot_be_kept_does_not_cost_the_movie(changes: dict[str, Any], title: str) -> None:
    assert parse_movie(movie(**changes)).movie.title == title
    assert parse_list_page(list_page(listed(1, **changes))).results[0].title == title


def test_only_the_crew_that_a_card_may_show_is_read() -> None:
    jobs = ("Best Boy", "Director\0", "Writer", None)
    crew = [{"id": number, "name": "A", "job": job} for number, job in enumerate(jobs, start=1)]
    parsed = parse_movie(movie(credits={"cast": [], "crew": crew}))

    assert parsed.movie.credits is not None
    assert [member.job for member in parsed.movie.credits.crew] == ["Director", "Writer"]
    assert parsed.problems == (
        "credits: unstorable characters left out",
        "credits.crew[2].job: Input should be a valid string",
    )


def test_the_watch_providers_of_other_regions_are_not_looked_at() -> None:
    offers = {"buy": [{"provider_id": 1, "provider_name": "P"}]}
    body = movie(**{"watch/providers": {"results": {"BR": {"buy": 5}, "DE": offers, "US": offers}}})
    parsed = parse_movie(body, ["US", "FR"])
    assert parsed.problems == ()
    assert parsed.movie.watch_providers is not None
    assert parsed.movie.watch_providers.results.keys() == {"US"}
    assert parse_movie(body).problems == ("watch/providers.results.BR.buy: Input should be a valid tuple",)
