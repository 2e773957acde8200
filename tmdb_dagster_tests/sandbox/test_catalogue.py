"""The invented catalogue: always the same, sized and odd like the real one, and changed only where it is told to be."""

from __future__ import annotations

import statistics
from collections import Counter
from datetime import timedelta
from typing import Any

import orjson
import pytest

from tmdb_dagster.clock import utc_now
from tmdb_dagster.sandbox.catalogue import Catalogue
from tmdb_dagster_tests.sandbox.conftest import PARTS

RECORDED_TOGETHER = ("credits", "videos", "similar", "release_dates", "images", "keywords", "watch/providers")
SHOWN = frozenset(("en", None))


def _bodies(catalogue: Catalogue, ids: tuple[int, ...]) -> list[dict[str, Any]]:
    return [orjson.loads(catalogue.body(movie_id, PARTS, SHOWN).plain) for movie_id in ids]


@pytest.fixture(scope="module")
def sample(catalogue: Catalogue) -> list[dict[str, Any]]:
    """Every third movie, with all parts."""
    return _bodies(catalogue, catalogue.ids[::3])


def test_the_same_seed_gives_the_same_bytes(catalogue: Catalogue) -> None:
    again = Catalogue(movies=2000)
    assert again.ids == catalogue.ids
    for movie_id in catalogue.ids[::100]:
        assert again.body(movie_id, PARTS, SHOWN) == catalogue.body(movie_id, PARTS, SHOWN)
    assert again.list_page("popular", 3) == catalogue.list_page("popular", 3)


def test_a_body_does_not_depend_on_what_was_asked_before() -> None:
    few, many = Catalogue(movies=50), Catalogue(movies=50)
    target = few.ids[-1]
    for movie_id in many.ids:
        many.body(movie_id, PARTS, SHOWN)
    assert few.body(target, PARTS, SHOWN) == many.body(target, PARTS, SHOWN)


def test_another_seed_gives_another_catalogue(catalogue: Catalogue) -> None:
    other = Catalogue(seed=2, movies=2000)
    assert other.ids != catalogue.ids
    assert other.movie(603).story != catalogue.movie(603).story


@pytest.mark.parametrize("movies", [2, 3, 500, 12_000])
def test_ids_are_sorted_unique_and_include_the_two_that_examples_use(movies: int) -> None:
    ids = Catalogue(movies=movies).ids
    assert len(ids) == movies
    assert list(ids) == sorted(set(ids))
    assert {550, 603} <= set(ids)
    assert ids[0] >= 2
    assert ids[-1] <= 1_400_000


def test_a_catalogue_without_movies_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 movies"):
        Catalogue(movies=1)


@pytest.fixture(scope="module")
def popular(catalogue: Catalogue) -> list[int]:
    rows = [orjson.loads(catalogue.list_page("popular", page).plain)["results"] for page in range(1, 11)]
    return list(dict.fromkeys(row["id"] for page in rows for row in page))


def test_popular_movies_have_bodies_as_large_as_real_ones(catalogue: Catalogue, popular: list[int]) -> None:
    packed = [catalogue.body(movie_id, RECORDED_TOGETHER, SHOWN) for movie_id in popular]
    sizes = [len(one.plain) for one in packed]
    assert 95_000 < statistics.median(sizes) < 130_000
    assert min(sizes) > 30_000
    assert 150_000 < max(sizes) < 320_000
    assert 18_000 < statistics.median(len(one.gzipped) for one in packed) < 32_000


def test_popular_movies_are_translated_and_recommended_as_real_ones_are(
    catalogue: Catalogue, popular: list[int]
) -> None:
    bodies = [orjson.loads(catalogue.body(movie_id, PARTS, SHOWN).plain) for movie_id in popular]

    def median(part: str) -> float:
        return statistics.median(len(orjson.dumps(body[part])) for body in bodies)

    assert 7_000 < median("translations") < 40_000
    assert 10_000 < median("recommendations") < 16_000
    assert all(
        body["external_ids"]["imdb_id"] == (body["imdb_id"] or None)
        and body["id"] not in {row["id"] for row in body["recommendations"]["results"]}
        for body in bodies
    )
    languages = [[entry["iso_639_1"] for entry in body["translations"]["translations"]] for body in bodies]
    assert all({"en", body["original_language"]} <= set(found) for found, body in zip(languages, bodies, strict=True))
    assert any(found.count("zh") > 1 for found in languages)


def test_details_have_the_oddities_of_real_ones(sample: list[dict[str, Any]]) -> None:
    count = Counter[str]()
    for body in sample:
        count["imdb_id null"] += body["imdb_id"] is None
        count["imdb_id empty"] += body["imdb_id"] == ""
        count["no release date"] += body["release_date"] == ""
        count["released without a date"] += body["release_date"] == "" and body["status"] == "Released"
        count["runtime 0"] += body["runtime"] == 0
        count["runtime null"] += body["runtime"] is None
        count["budget 0"] += body["budget"] == 0
        count["revenue over 32 bits"] += body["revenue"] > 2**31
        count["no poster"] += body["poster_path"] is None
        count["no backdrop"] += body["backdrop_path"] is None
        count["no overview"] += body["overview"] == ""
        count["no genres"] += not body["genres"]
        count["no companies"] += not body["production_companies"]
        count["a company twice"] += _repeats(company["id"] for company in body["production_companies"])
        count["original title"] += body["title"] != body["original_title"]
        count["whole vote average"] += isinstance(body["vote_average"], int) and body["vote_count"] > 0
        count["no votes"] += body["vote_count"] == 0
        count["unknown key"] += "softcore" in body
        count["collection"] += body["belongs_to_collection"] is not None
    assert not [oddity for oddity in count if count[oddity] == 0]
    assert 0.07 < count["imdb_id null"] / len(sample) < 0.16
    scripts = "".join(body["original_title"] for body in sample)
    assert all(letter in scripts for letter in "のа의é的")


def _repeats(values: Any) -> bool:
    return any(times > 1 for times in Counter(values).values())


def test_parts_have_the_oddities_of_real_ones(sample: list[dict[str, Any]]) -> None:
    count = Counter[str]()
    for body in sample:
        cast, crew = body["credits"]["cast"], body["credits"]["crew"]
        people = cast + crew
        count["no photo"] += sum(one["profile_path"] is None for one in people)
        count["people"] += len(people)
        count["person twice in cast"] += _repeats(one["id"] for one in cast)
        count["person and job twice"] += _repeats((one["id"], one["job"]) for one in crew)
        count["no character"] += any(one["character"] == "" for one in cast)
        count["no cast"] += not cast
        count["long cast"] += len(cast) > 120
        count["long crew"] += len(crew) > 300
        for gender in (0, 1, 2, 3, None):
            count[f"gender {gender}"] += any(one["gender"] == gender for one in people)
        videos = body["videos"]["results"]
        count["no videos"] += not videos
        count["Vimeo"] += any(video["site"] == "Vimeo" for video in videos)
        count["only unofficial"] += bool(videos) and not any(video["official"] for video in videos)
        releases = {one["iso_3166_1"]: one["release_dates"] for one in body["release_dates"]["results"]}
        count["no US release"] += "US" not in releases
        count["several US releases"] += len(releases.get("US", [])) > 1
        marks = [entry["certification"] for entries in releases.values() for entry in entries]
        count["certifications"] += len(marks)
        count["no certification"] += marks.count("")
        count["no providers"] += not body["watch/providers"]["results"]
        count["no keywords"] += not body["keywords"]["keywords"]
    assert not [oddity for oddity in count if count[oddity] == 0]
    assert count["no photo"] > count["people"] / 2
    assert count["no certification"] > count["certifications"] / 2


def test_some_pairs_of_movies_share_one_imdb_id(sample: list[dict[str, Any]], catalogue: Catalogue) -> None:
    bodies = [orjson.loads(catalogue.body(movie_id, (), None).plain) for movie_id in catalogue.ids]
    shared = [number for number, times in Counter(body["imdb_id"] for body in bodies).items() if number and times > 1]
    assert 3 < len(shared) < 30


def test_lists_have_rows_without_a_release_date_and_movies_on_two_pages(catalogue: Catalogue) -> None:
    rows: list[dict[str, Any]] = []
    pages = orjson.loads(catalogue.list_page("popular", 1).plain)["total_pages"]
    for page in range(1, pages + 1):
        rows += orjson.loads(catalogue.list_page("popular", page).plain)["results"]
    assert {row["id"] for row in rows} == set(catalogue.ids)
    assert len(rows) > len(catalogue.ids)
    assert any("release_date" not in row for row in rows)
    assert any(row.get("release_date") == "" for row in rows)


def test_now_playing_movies_are_released_within_its_dates(catalogue: Catalogue) -> None:
    body = orjson.loads(catalogue.list_page("now_playing", 1).plain)
    assert body["total_pages"] >= 5
    for row in body["results"]:
        assert body["dates"]["minimum"] <= row["release_date"] <= body["dates"]["maximum"]


def test_a_touch_changes_that_movie_and_no_other() -> None:
    catalogue = Catalogue(movies=60)
    before = {movie_id: catalogue.body(movie_id, PARTS, SHOWN).plain for movie_id in catalogue.ids}
    catalogue.touch(603)
    after = {movie_id: catalogue.body(movie_id, PARTS, SHOWN).plain for movie_id in catalogue.ids}
    assert [movie_id for movie_id in catalogue.ids if before[movie_id] != after[movie_id]] == [603]
    old, new = orjson.loads(before[603]), orjson.loads(after[603])
    assert new["vote_count"] > old["vote_count"]
    assert new["overview"] != old["overview"]
    assert new["poster_path"] == old["poster_path"]

    # The same touch gives the same body, and no other movie's `similar` shows it.
    fresh = Catalogue(movies=60)
    fresh.touch(603)
    assert {movie_id: fresh.body(movie_id, PARTS, SHOWN).plain for movie_id in fresh.ids} == after


def test_a_touch_can_change_the_poster() -> None:
    catalogue = Catalogue(movies=60)
    before = orjson.loads(catalogue.body(603, ("images",), SHOWN).plain)
    catalogue.touch(603, poster=True)
    after = orjson.loads(catalogue.body(603, ("images",), SHOWN).plain)
    assert after["poster_path"] != before["poster_path"]
    assert after["poster_path"] in [image["file_path"] for image in after["images"]["posters"]]


def test_changes_list_what_was_touched_and_removed_on_its_day() -> None:
    catalogue = Catalogue(movies=60)
    today = utc_now().date()
    ours = set(catalogue.ids)

    def listed(days_ago: int) -> set[int]:
        day = today - timedelta(days=days_ago)
        return {row["id"] for row in catalogue.changes_page(day, day, 1)["results"]} & ours

    assert listed(0) == set()
    catalogue.touch(603)
    catalogue.remove(550)
    assert listed(0) == {603, 550}
    assert listed(1) == set()
    assert catalogue.movie_changes(603, today, today)["changes"]
    assert not catalogue.movie_changes(catalogue.ids[-1], today, today)["changes"]


def test_a_removed_movie_is_gone_from_the_lists() -> None:
    catalogue = Catalogue(movies=30)
    catalogue.remove(603)
    assert 603 not in catalogue
    pages = [orjson.loads(catalogue.list_page("popular", page).plain) for page in (1, 2)]
    assert 603 not in {row["id"] for page in pages for row in page["results"]}


def test_an_unknown_movie_cannot_be_changed() -> None:
    with pytest.raises(KeyError, match="no movie 1 "):
        Catalogue(movies=30).touch(1)
