"""The catalogue from day to day: what moves, what stays, and that a day's answers are the same for whoever asks."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from datetime import date, timedelta
from typing import Any

import orjson
import pytest
import requests

from tmdb_dagster.sandbox.catalogue import Catalogue, ListName
from tmdb_dagster.sandbox.drawings.artwork import draw_image
from tmdb_dagster.sandbox.life import ARRIVALS_A_DAY, FIRST_DAY
from tmdb_dagster.sandbox.tokens import read_image_path
from tmdb_dagster_tests.sandbox.conftest import PARTS

SHOWN = frozenset(("en", None))
LISTS: tuple[ListName, ...] = ("popular", "now_playing", "trending")


def _on(day: int, movies: int = 80) -> Catalogue:
    """The catalogue so many days after the first one."""
    catalogue = Catalogue(movies=movies)
    _live(catalogue, day)
    return catalogue


def _live(catalogue: Catalogue, day: int) -> date:
    today = FIRST_DAY + timedelta(days=day)
    catalogue.today = lambda: today
    return today


def _bodies(catalogue: Catalogue) -> dict[int, dict[str, Any]]:
    ids = [row["id"] for row in _rows(catalogue, "popular")]
    return {one: orjson.loads(catalogue.body(one, PARTS, SHOWN).plain) for one in dict.fromkeys(ids)}


def _rows(catalogue: Catalogue, name: ListName) -> list[dict[str, Any]]:
    first = orjson.loads(catalogue.list_page(name, 1).plain)
    return [
        row
        for page in range(1, first["total_pages"] + 1)
        for row in orjson.loads(catalogue.list_page(name, page).plain)["results"]
    ]


def _changed(catalogue: Catalogue, day: date) -> set[int]:
    first = catalogue.changes_page(day, day, 1)
    pages = [catalogue.changes_page(day, day, page) for page in range(1, first["total_pages"] + 1)]
    return {row["id"] for page in pages for row in page["results"] if row["id"] in catalogue}


def test_a_day_is_the_same_whoever_asks_and_whatever_was_asked_before() -> None:
    lived = _on(0)
    for day in (4, 5):
        today = _live(lived, day)
        _bodies(lived)
    fresh = _on(5)
    assert _bodies(fresh) == _bodies(lived)
    for name in LISTS:
        assert _rows(fresh, name) == _rows(lived, name)
    assert fresh.changes_page(FIRST_DAY, today, 1) == lived.changes_page(FIRST_DAY, today, 1)


def test_changes_name_the_movies_whose_answers_differ_from_the_day_before() -> None:
    catalogue = _on(20)
    before = _bodies(catalogue)
    today = _live(catalogue, 21)
    after = _bodies(catalogue)

    assert set(before) <= set(after), "no id becomes unknown"
    new = set(after) - set(before)
    assert len(new) == ARRIVALS_A_DAY
    differ = {one for one in before if before[one] != after[one]}
    assert differ | new == _changed(catalogue, today)
    assert 0 < len(differ) < len(before) / 2
    for one in differ:
        assert before[one]["vote_count"] < after[one]["vote_count"]
        assert before[one]["popularity"] != after[one]["popularity"]
        same = ("title", "genres", "credits", "imdb_id", "release_date", "backdrop_path", "production_companies")
        assert all(before[one][key] == after[one][key] for key in same)


def test_in_a_month_movies_get_overviews_posters_and_videos_and_the_changes_tell() -> None:
    catalogue = _on(0)
    told: set[str] = set()
    before = _bodies(catalogue)
    for day in range(1, 31):
        today = _live(catalogue, day)
        for one in catalogue.ids:
            told |= {change["key"] for change in catalogue.movie_changes(one, today, today)["changes"]}
    after = _bodies(catalogue)
    of_both = [(before[one], after[one]) for one in before]
    assert told == {"overview", "images", "videos"}
    assert any(old["overview"] != new["overview"] for old, new in of_both)
    assert any(len(old["videos"]["results"]) < len(new["videos"]["results"]) for old, new in of_both)
    posters = [new for old, new in of_both if old["poster_path"] != new["poster_path"]]
    assert posters
    assert all(new["poster_path"] in [image["file_path"] for image in new["images"]["posters"]] for new in posters)


@pytest.mark.parametrize("name", LISTS)
def test_each_list_is_in_another_order_the_next_day_and_has_new_movies_within_a_month(name: ListName) -> None:
    catalogue = _on(10, movies=2000)
    before = [row["id"] for row in _rows(catalogue, name)][:60]
    _live(catalogue, 11)
    rows = _rows(catalogue, name)
    after = [row["id"] for row in rows][:60]

    assert set(before) - set(after), "some leave the first pages"
    assert len(set(before) & set(after)) > 40, "most stay"
    assert sum(old != new for old, new in zip(before, after, strict=True)) > 10
    if name != "trending":
        popularity = [row["popularity"] for row in rows]
        assert popularity == sorted(popularity, reverse=True)
    _live(catalogue, 31)
    assert max(row["id"] for row in _rows(catalogue, name)[:60]) > max(catalogue.ids)


@pytest.mark.parametrize("day", [200, 2000])
def test_the_cinemas_always_play_something(day: int) -> None:
    body = orjson.loads(_on(day).list_page("now_playing", 1).plain)
    assert body["total_pages"] >= 5
    for row in body["results"]:
        assert body["dates"]["minimum"] <= row["release_date"] <= body["dates"]["maximum"]


def test_a_new_movie_is_found_in_every_way_and_has_pictures() -> None:
    catalogue = _on(10)
    new = [one for one in _bodies(catalogue).values() if one["id"] > max(catalogue.ids)]
    assert len(new) == 10 * ARRIVALS_A_DAY
    movie = next(one for one in new if one["imdb_id"] and one["poster_path"])
    found = (catalogue.search(movie["title"], None, 1), catalogue.find(movie["imdb_id"]))
    rows = [orjson.loads(one.plain) for one in found]
    assert movie["id"] in {row["id"] for row in rows[0]["results"]}
    assert [row["id"] for row in rows[1]["movie_results"]] == [movie["id"]]
    ref = read_image_path(catalogue.seed, movie["poster_path"])
    assert ref is not None
    assert draw_image(catalogue, ref, (92, 138)).startswith(b"\xff\xd8")


def test_a_day_that_has_not_come_has_no_changes() -> None:
    catalogue = _on(3)
    assert _changed(catalogue, FIRST_DAY + timedelta(days=3))
    assert not _changed(catalogue, FIRST_DAY + timedelta(days=4))


def test_before_the_first_day_and_without_a_clock_nothing_moves() -> None:
    assert _bodies(_on(-400)) == _bodies(_on(0)) == _bodies(Catalogue(movies=80))
    assert not _changed(_on(0), FIRST_DAY)


@pytest.mark.parametrize("day", [None, "2026-11-01"])
def test_the_program_lives_unless_a_day_is_set(day: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SANDBOX_DAY")
    if day:
        monkeypatch.setenv("SANDBOX_DAY", day)
    command = [sys.executable, "-m", "tmdb_dagster.sandbox", "--port", "0", "--movies", "50"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        found = re.search(r"http\S+", program.stdout.readline())
        assert found
        dates = requests.get(f"{found[0]}/movie/now_playing?api_key=k", timeout=20).json()["dates"]
        program.send_signal(signal.SIGTERM)
    lasts = date.fromisoformat(dates["maximum"]) - timedelta(days=7)
    assert (lasts == FIRST_DAY) is (day is not None)
