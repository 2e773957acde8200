from __future__ import annotations

import socket
import threading

import pytest

from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.tmdb.client import ListSource, TmdbClient
from tmdb_dagster.tmdb.errors import BadRequest, InvalidResponse, MovieNotFound, NotFound
from tmdb_dagster.tmdb.parts import missing_parts

from .conftest import MakeProbe, StartRawServer


@pytest.mark.parametrize(
    ("source", "endpoint", "region"),
    [
        ("popular", "/movie/popular", {"region": "DE"}),
        ("now_playing", "/movie/now_playing", {"region": "DE"}),
        ("trending", "/trending/movie/week", {}),
    ],
)
def test_a_list_page(
    sandbox: SandboxServer,
    make_probe: MakeProbe,
    source: ListSource,
    endpoint: str,
    region: dict[str, str],
) -> None:
    probe = make_probe(sandbox.api_url)

    page = TmdbClient(probe.transport, language="de-DE", region="DE").list_page(source, 2)

    assert page.page == 2
    (call,) = probe.calls
    assert (call.endpoint, call.results_count) == (endpoint, len(page.results))
    assert call.query_params == {"language": "de-DE", "page": 2} | region


def test_without_a_region_none_is_sent(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    probe = make_probe(sandbox.api_url)
    TmdbClient(probe.transport).list_page("popular", 1)
    assert probe.calls[0].query_params == {"language": "en-US", "page": 1}


def test_a_page_beyond_what_tmdb_offers_is_a_bad_request(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    with pytest.raises(BadRequest, match=r"/movie/popular.*\(code 22\)"):
        TmdbClient(make_probe(sandbox.api_url).transport).list_page("popular", 501)


@pytest.mark.parametrize("body", ["[]", "null", '{"page": 1}', '{"success": false, "status_code": 34}'])
def test_a_body_that_is_no_list_is_refused(sandbox: SandboxServer, make_probe: MakeProbe, body: str) -> None:
    sandbox.faults.add(Fault(path="/movie/popular", kind="body", body=body, times=1))
    probe = make_probe(sandbox.api_url)

    with pytest.raises(InvalidResponse, match=r"^/movie/popular: ") as caught:
        TmdbClient(probe.transport).list_page("popular", 1)

    assert (caught.value.endpoint, caught.value.http_status) == ("/movie/popular", 200)
    assert probe.statuses == [200]


@pytest.mark.parametrize(
    ("language", "images", "videos"),
    [("en-US", "en,null", "en,null"), ("de-DE", "de,null", "de,en,null"), ("pt", "pt,null", "pt,en,null")],
)
def test_a_movie_comes_with_all_its_parts_in_one_call(
    sandbox: SandboxServer, make_probe: MakeProbe, language: str, images: str, videos: str
) -> None:
    tmdb_id = TmdbClient(make_probe(sandbox.api_url).transport).list_page("popular", 1).results[0].id
    probe = make_probe(sandbox.api_url)

    body = TmdbClient(probe.transport, language=language).movie(tmdb_id)

    assert body["id"] == tmdb_id
    assert missing_parts(body) == ()
    (call,) = probe.calls
    assert (call.endpoint, call.tmdb_id, call.results_count) == (f"/movie/{tmdb_id}", tmdb_id, 1)
    parts = [
        *("credits", "videos", "similar", "release_dates", "images", "keywords", "watch/providers"),
        *("translations", "recommendations", "external_ids", "alternative_titles"),
    ]
    assert call.metadata == {"append_to_response": parts}
    assert call.query_params == {
        "language": language,
        "append_to_response": ",".join(parts),
        "include_image_language": images,
        "include_video_language": videos,
    }


def test_a_movie_that_tmdb_does_not_know(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    probe = make_probe(sandbox.api_url)

    with pytest.raises(MovieNotFound, match="/movie/999999999: TMDB answered 404") as caught:
        TmdbClient(probe.transport).movie(999_999_999)

    assert (caught.value.tmdb_id, caught.value.endpoint) == (999_999_999, "/movie/999999999")
    assert isinstance(caught.value.__cause__, NotFound)
    assert probe.statuses == [404]


@pytest.mark.parametrize("body", ["[]", "null", '"603"', "{}", '{"id": 604}', '{"id": "603"}'])
def test_a_body_that_is_not_the_movie_is_refused(sandbox: SandboxServer, make_probe: MakeProbe, body: str) -> None:
    sandbox.faults.add(Fault(path="/movie/603", kind="body", body=body, times=1))
    probe = make_probe(sandbox.api_url)

    with pytest.raises(InvalidResponse, match="not the movie 603") as caught:
        TmdbClient(probe.transport).movie(603)

    assert caught.value.endpoint == "/movie/603"
    assert probe.statuses == [200]


def test_the_movie_that_another_was_merged_into_is_named(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    sandbox.faults.add(Fault(path="/movie/603", kind="body", body='{"id": 604, "title": "Another"}', times=1))

    with pytest.raises(InvalidResponse, match=r"not the movie 603.* movie 604, into which 603 may have been merged"):
        TmdbClient(make_probe(sandbox.api_url).transport).movie(603)


def test_closing_the_client_closes_its_connections(raw_server: StartRawServer, make_probe: MakeProbe) -> None:
    hung_up = threading.Event()

    def answer_and_stay(connection: socket.socket) -> None:
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"id": 1}')
        if connection.recv(1) == b"":
            hung_up.set()

    with TmdbClient(make_probe(raw_server(answer_and_stay).api_url).transport) as client:
        client.movie(1)
        assert not hung_up.is_set()
    assert hung_up.wait(timeout=10)
