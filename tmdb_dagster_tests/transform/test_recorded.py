"""Recorded answers of TMDB through the whole transform; what is expected is worked out from the raw JSON."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tmdb_dagster.tmdb.bodies import CREW_JOBS
from tmdb_dagster.tmdb.models import parse_list_page, parse_movie
from tmdb_dagster.tmdb.parts import missing_parts
from tmdb_dagster.transform.card import card_row
from tmdb_dagster.transform.rows import CardRow, MovieRows
from tmdb_dagster_tests.recorded import DETAILS, combined, needs_samples, read, recorded_parts, sample_name, samples
from tmdb_dagster_tests.transform.builders import transformed
from tmdb_dagster_tests.transform.checks import check_rows

LISTS = ("list_popular", "list_now_playing", "list_trending_week")
IMAGE = "https://images.example/t/p"

pytestmark = needs_samples


@pytest.mark.parametrize("path", samples(*DETAILS), ids=sample_name)
def test_every_movie(path: Path) -> None:
    raw = combined(read(path))
    parsed = parse_movie(raw)
    assert parsed.problems == ()
    movie = transformed(raw)
    check_rows(movie)
    check_details(raw, movie)
    check_people(raw, movie, card_row(movie))
    check_parts(raw, movie)


def check_details(raw: dict[str, Any], movie: MovieRows) -> None:
    work, meta = movie.work, movie.meta
    assert (work["tmdb_id"], work["title"]) == (str(raw["id"]), raw["title"])
    assert work["imdb_id"] == (raw["imdb_id"] or None)
    assert work["year"] == (int(raw["release_date"][:4]) if raw["release_date"] else None)
    assert work["release_date"] == (raw["release_date"] or None)
    assert meta["genres"] == [genre["name"] for genre in raw["genres"]]
    assert meta["production_countries"] == [country["name"] for country in raw["production_countries"]]
    assert meta["runtime_minutes"] == (raw["runtime"] or None)
    assert (meta["budget"] or 0, meta["revenue_worldwide"] or 0) == (raw["budget"], raw["revenue"])
    assert 0 not in (meta["budget"], meta["revenue_worldwide"])
    poster = raw["poster_path"]
    assert meta["poster_url_medium"] == (f"{IMAGE}/w342{poster}" if poster else None)
    backdrop = raw["backdrop_path"]
    assert meta["backdrop_url"] == (f"{IMAGE}/w1280{backdrop}" if backdrop else None)
    assert {company["id"] for company in meta["production_companies"]} == {
        company["id"] for company in raw["production_companies"]
    }
    collection = meta["collection"]
    assert (collection and collection["id"]) == (raw["belongs_to_collection"] or {}).get("id")
    short = meta["overview_short"] or ""
    assert len(short) <= 153
    assert raw["overview"].strip().startswith(short.removesuffix("..."))
    rating = movie.rating
    assert rating is not None
    assert rating["value_raw"] == pytest.approx(raw["vote_average"], abs=5e-4)
    assert rating["votes_count"] == raw["vote_count"]
    v1 = movie.aggregates[0]
    assert v1["ai_score"] == pytest.approx(raw["vote_average"] * 10, abs=0.01)


def check_people(raw: dict[str, Any], movie: MovieRows, card: CardRow) -> None:
    credits_ = raw.get("credits", {"cast": [], "crew": []})
    roles = []
    for member in sorted(credits_["cast"], key=lambda member: member["order"]):
        role = (str(member["id"]), member["character"] or None)
        if role not in roles:
            roles.append(role)
    cast = movie.meta["cast_members"]
    assert [(entry["person_id"], entry["character"]) for entry in cast] == roles[:15]
    directors = [member for member in credits_["crew"] if member["job"] == "Director"]
    assert card["payload"]["director"] == (directors[0]["name"] if directors else None)
    listed = {(entry["person_id"], entry["job"]) for entry in movie.meta["crew_members"]}
    assert {(str(member["id"]), "Director") for member in directors} <= listed
    assert len(listed) == len(movie.meta["crew_members"]) <= 10
    assert {job for _, job in listed} == {member["job"] for member in credits_["crew"]} & set(CREW_JOBS)


def check_parts(raw: dict[str, Any], movie: MovieRows) -> None:
    meta = movie.meta
    us_dates = [
        entry
        for country in raw.get("release_dates", {"results": []})["results"]
        if country["iso_3166_1"] == "US"
        for entry in country["release_dates"]
        if entry["certification"]
    ]
    us_dates.sort(key=lambda entry: entry["type"] != 3)
    assert meta["certification"] == (us_dates[0]["certification"] if us_dates else None)
    videos = [video for video in raw.get("videos", {"results": []})["results"] if video["site"] == "YouTube"]
    assert [trailer["key"] for trailer in meta["trailers"]] == [video["key"] for video in videos][:10]
    assert bool(meta["trailer_youtube_id"]) == bool(videos)
    backdrops = [image["file_path"] for image in raw.get("images", {"backdrops": []})["backdrops"]]
    assert meta["still_images"] == [f"{IMAGE}/w780{path}" for path in backdrops[:5]]
    keywords = raw.get("keywords", {"keywords": []})["keywords"]
    assert meta["keywords"] == [keyword["name"] for keyword in keywords]
    offers = raw.get("watch/providers", {"results": {}})["results"].get("US")
    shown = (meta["streaming"] or {}).get("us")
    assert (shown is None) == (offers is None)
    if offers and shown:
        assert shown["link"] == offers["link"]
        for offer in ("flatrate", "rent", "buy", "ads", "free"):
            names = [provider["provider_name"] for provider in offers.get(offer, [])]
            assert [provider["provider_name"] for provider in shown[offer]] == names


@pytest.mark.parametrize(
    ("part", "path"), recorded_parts(), ids=lambda value: sample_name(value) if isinstance(value, Path) else value
)
def test_every_part(part: str, path: Path) -> None:
    raw = read(samples("detail")[0])
    raw[part] = read(path)
    assert part not in missing_parts(raw)
    assert parse_movie(raw).problems == ()
    movie = transformed(raw)
    check_rows(movie)
    check_people(raw, movie, card_row(movie))
    check_parts(raw, movie)
    if part == "similar":
        assert movie.meta["similar_movie_ids"] == [row["id"] for row in raw[part]["results"]][:10]


@pytest.mark.parametrize("path", samples(*LISTS), ids=sample_name)
def test_every_list_page(path: Path) -> None:
    raw = read(path)
    page = parse_list_page(raw)
    assert page.problems == ()
    assert (page.page, page.total_pages, page.total_results) == (
        raw["page"],
        raw["total_pages"],
        raw["total_results"],
    )
    for row, expected in zip(page.results, raw["results"], strict=True):
        assert (row.id, row.title, row.vote_count) == (expected["id"], expected["title"], expected["vote_count"])
        assert (row.release_date.isoformat() if row.release_date else "") == expected.get("release_date", "")
        assert row.vote_average == pytest.approx(expected["vote_average"])


def test_known_oddities_are_among_thesamples() -> None:
    """So that the tests above are known to have met them."""
    raws = [combined(read(path)) for path in samples(*DETAILS)]
    works = [transformed(raw) for raw in raws]
    assert any(raw["imdb_id"] == "" for raw in raws)
    assert any(raw["release_date"] == "" for raw in raws)
    assert any((movie.meta["revenue_worldwide"] or 0) > 2**31 for movie in works)
    assert any(card_row(movie)["payload"]["attribution"]["justwatch"] for movie in works)
    assert any(movie.meta["certification"] for movie in works)
    assert any(len(movie.meta["cast_members"]) == 15 for movie in works)
    assert any(re.search(r"\.\.\.$", movie.meta["overview_short"] or "") for movie in works)
