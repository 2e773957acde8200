"""The API over HTTP: every endpoint, and TMDB's error bodies."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tmdb_dagster.clock import utc_now
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.sandbox.conftest import PARTS, Ask

V3_KEY = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("/movie/popular", {"page", "results", "total_pages", "total_results"}),
        ("/movie/now_playing", {"dates", "page", "results", "total_pages", "total_results"}),
        ("/trending/movie/week", {"page", "results", "total_pages", "total_results"}),
        ("/movie/changes", {"page", "results", "total_pages", "total_results"}),
        ("/configuration", {"images", "change_keys"}),
        ("/movie/603/credits", {"id", "cast", "crew"}),
        ("/movie/603/videos", {"id", "results"}),
        ("/movie/603/similar", {"page", "results", "total_pages", "total_results"}),
        ("/movie/603/release_dates", {"id", "results"}),
        ("/movie/603/images", {"id", "backdrops", "logos", "posters"}),
        ("/movie/603/keywords", {"id", "keywords"}),
        ("/movie/603/watch/providers", {"id", "results"}),
        ("/movie/603/translations", {"id", "translations"}),
        ("/movie/603/recommendations", {"page", "results", "total_pages", "total_results"}),
        (
            "/movie/603/external_ids",
            {"id", "imdb_id", "wikidata_id", "facebook_id", "instagram_id", "twitter_id"},
        ),
        ("/movie/603/alternative_titles", {"id", "titles"}),
        ("/movie/603/changes", {"changes"}),
    ],
)
def test_each_endpoint_answers(ask: Ask, path: str, keys: set[str]) -> None:
    answer = ask(path, language="en-US", region="US")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json;charset=utf-8"
    assert set(answer.json()) == keys


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/movie/603", {"api_key": "bad-key"}, 401, 7),
        ("/movie/603", {"api_key": ""}, 401, 7),
        ("/movie/4", {}, 404, 34),
        ("/movie/strange", {}, 404, 6),
        ("/movie/strange/credits", {}, 404, 6),
        ("/tv/603", {}, 404, 34),
        ("/movie/popular", {"page": 0}, 400, 22),
        ("/movie/popular", {"page": 501}, 400, 22),
        ("/trending/movie/week", {"page": "two"}, 400, 22),
        ("/movie/changes", {"start_date": "2026-01-01", "end_date": "2026-01-16"}, 422, 20),
        ("/movie/changes", {"start_date": "2026-01-02", "end_date": "2026-01-01"}, 422, 20),
        ("/movie/changes", {"start_date": "yesterday"}, 422, 20),
        ("/movie/603", {"append_to_response": ",".join(f"part{n}" for n in range(21))}, 400, 27),
    ],
)
def test_errors_are_tmdbs(ask: Ask, path: str, query: dict[str, object], status: int, code: int) -> None:
    answer = ask(path, **query)
    assert answer.status_code == status
    body = answer.json()
    assert body["success"] is False
    assert body["status_code"] == code
    assert body["status_message"]


@pytest.mark.parametrize(
    ("header", "status"),
    [("Bearer some.access.token", 200), (f"Bearer {V3_KEY}", 401), ("Bearer bad-key", 401), ("Basic abc", 401)],
)
def test_a_bearer_token_is_accepted_but_no_v3_key_in_its_place(ask: Ask, header: str, status: int) -> None:
    assert ask("/movie/603", api_key="", headers={"Authorization": header}).status_code == status


def test_appended_parts_are_the_endpoints_bodies_without_their_id(ask: Ask) -> None:
    body = ask("/movie/603", append_to_response=",".join(PARTS), language="en-US").json()
    for part in PARTS:
        alone = ask(f"/movie/603/{part}", language="en-US").json()
        alone.pop("id", None)
        assert body[part] == alone


def test_unknown_parts_are_ignored_and_twenty_are_allowed(ask: Ask) -> None:
    asked = ",".join(["credits", "credits", *(f"part{n}" for n in range(18))])
    body = ask("/movie/603", append_to_response=asked).json()
    assert "credits" in body
    assert not [key for key in body if key.startswith("part")]


def test_a_language_filters_images(ask: Ask) -> None:
    everything = ask("/movie/603/images").json()
    english = ask("/movie/603", append_to_response="images", language="en-US").json()
    both = ask("/movie/603", append_to_response="images", language="en-US", include_image_language="en,null").json()

    def languages(images: dict[str, list[dict[str, str | None]]], kind: str) -> set[str | None]:
        return {image["iso_639_1"] for image in images[kind]}

    assert languages(everything, "posters") > {"en", "fr"}
    assert languages(english["images"], "posters") == {"en"}
    assert None not in languages(english["images"], "backdrops")
    assert None in languages(both["images"], "backdrops")
    assert languages(both["images"], "backdrops") <= {"en", None}


def test_lists_are_paged(ask: Ask) -> None:
    first, second = ask("/movie/popular").json(), ask("/movie/popular", page=2).json()
    assert len(first["results"]) == len(second["results"]) == 20
    assert first["results"] != second["results"]
    assert first["results"] == ask("/movie/popular", page=1).json()["results"]
    last = ask("/movie/popular", page=first["total_pages"]).json()
    assert 0 < len(last["results"]) <= 20
    assert ask("/movie/popular", page=first["total_pages"] + 1).json()["results"] == []
    assert {row["media_type"] for row in ask("/trending/movie/week").json()["results"]} == {"movie"}


def test_changes_of_fourteen_days_have_pages_of_a_hundred_with_odd_rows(ask: Ask) -> None:
    end = utc_now().date()
    query = {"start_date": (end - timedelta(days=14)).isoformat(), "end_date": end.isoformat()}
    first = ask("/movie/changes", **query).json()
    assert len(first["results"]) == 100
    assert first["total_pages"] == -(-first["total_results"] // 100) > 10
    rows = [
        row
        for page in range(1, first["total_pages"] + 1)
        for row in ask("/movie/changes", page=page, **query).json()["results"]
    ]
    assert len(rows) == first["total_results"]
    assert None in [row["id"] for row in rows]
    assert None in [row["adult"] for row in rows]
    assert any("softcore" in row for row in rows)


def test_the_server_can_be_told_to_change_and_remove_movies() -> None:
    import requests

    with SandboxServer(movies=40) as server:
        control = server.api_url.removesuffix("/3") + "/_sandbox"
        before = requests.get(f"{server.api_url}/movie/603?api_key=k", timeout=5).json()
        assert requests.post(f"{control}/touch", json=[603], timeout=5).ok
        assert requests.post(f"{control}/remove", json=[550], timeout=5).ok
        assert requests.post(f"{control}/touch", json=[1], timeout=5).status_code == 422
        assert requests.get(f"{server.api_url}/movie/603?api_key=k", timeout=5).json() != before
        gone = requests.get(f"{server.api_url}/movie/550?api_key=k", timeout=5)
        assert (gone.status_code, gone.json()["status_code"]) == (404, 34)


def test_answers_are_gzipped_for_clients_that_take_it(ask: Ask) -> None:
    zipped = ask("/movie/603", headers={"Accept-Encoding": "gzip"})
    plain = ask("/movie/603", headers={"Accept-Encoding": "identity"})
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert zipped.json() == plain.json()
