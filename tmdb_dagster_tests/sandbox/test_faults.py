"""Faults: each kind is really committed, counted, and strikes the calls it should."""

from __future__ import annotations

import gzip
import time

import pytest
import requests

from tmdb_dagster.sandbox.faults import REMOVE, Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.sandbox.conftest import Ask


def test_a_status_fault_answers_with_tmdbs_error_body_and_its_headers(sandbox: SandboxServer, ask: Ask) -> None:
    sandbox.faults.add(Fault("/movie/603", "status", status=429, headers={"Retry-After": "1"}, times=1))
    answer = ask("/movie/603")
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["status_code"] == 25
    assert ask("/movie/603").status_code == 200
    assert sandbox.faults.fired == sandbox.stats.faults_fired == 1
    assert sandbox.stats.rate_limited == 1
    assert sandbox.stats.violations == 0


def test_a_status_fault_is_a_500_with_a_body_of_choice(sandbox: SandboxServer, ask: Ask) -> None:
    sandbox.faults.add(Fault("/movie/603", "status", body={"errors": ["odd"]}))
    assert ask("/movie/603").status_code == 500
    assert ask("/movie/603").json() == {"errors": ["odd"]}


def test_a_delay_holds_the_answer_back(sandbox: SandboxServer, ask: Ask) -> None:
    sandbox.faults.add(Fault("/movie/603", "delay", delay_s=0.2))
    start = time.monotonic()
    assert ask("/movie/603").json()["id"] == 603
    assert time.monotonic() - start >= 0.2


def test_a_drop_closes_the_connection_without_an_answer(sandbox: SandboxServer, ask: Ask) -> None:
    sandbox.faults.add(Fault("/movie/603", "drop", times=1))
    with pytest.raises(requests.ConnectionError):
        ask("/movie/603")
    assert ask("/movie/603").status_code == 200
    assert sandbox.faults.fired == 1


def test_a_truncated_answer_promises_more_than_it_sends(sandbox: SandboxServer, ask: Ask) -> None:
    sandbox.faults.add(Fault("/movie/603", "truncate"))
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        ask("/movie/603")
    assert sandbox.faults.fired == 1


@pytest.mark.parametrize(("status", "expected"), [(None, 200), (502, 502)])
def test_an_html_page_comes_in_place_of_json(
    sandbox: SandboxServer, ask: Ask, status: int | None, expected: int
) -> None:
    sandbox.faults.add(Fault("/movie/603", "html", status=status))
    answer = ask("/movie/603")
    assert answer.status_code == expected
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.text.startswith("<html>")


def test_raw_gzip_does_not_say_that_it_is_gzip(sandbox: SandboxServer, ask: Ask) -> None:
    expected = ask("/movie/603").content
    sandbox.faults.add(Fault("/movie/603", "raw_gzip"))
    answer = ask("/movie/603")
    assert "Content-Encoding" not in answer.headers
    assert gzip.decompress(answer.content) == expected


@pytest.mark.parametrize(("body", "sent"), [("{oops", b"{oops"), (["x"], b'["x"]'), (None, b"null")])
def test_a_body_replaces_the_answer(sandbox: SandboxServer, ask: Ask, body: object, sent: bytes) -> None:
    sandbox.faults.add(Fault("/movie/603", "body", body=body))
    answer = ask("/movie/603")
    assert answer.status_code == 200
    assert answer.content == sent


def test_a_patch_changes_and_removes_keys(sandbox: SandboxServer, ask: Ask) -> None:
    usual = ask("/movie/603", append_to_response="credits").json()
    broken = {"credits": {"success": False}, "title": None, "overview": REMOVE}
    sandbox.faults.add(Fault("/movie/603", "patch", body=broken))
    patched = ask("/movie/603", append_to_response="credits").json()
    del usual["overview"]
    assert patched == {**usual, "credits": {"success": False}, "title": None}


def test_a_fault_strikes_only_paths_that_match_in_full(sandbox: SandboxServer, ask: Ask) -> None:
    sandbox.faults.add(Fault(r"/movie/\d+", "status", status=503))
    assert ask("/movie/603").status_code == 503
    assert ask("/movie/603/credits").status_code == 200
    assert ask("/movie/popular").status_code == 200


def test_the_first_fault_that_fires_wins_until_it_is_used_up(sandbox: SandboxServer, ask: Ask) -> None:
    sandbox.faults.add(Fault(".*", "status", status=503, times=2))
    sandbox.faults.add(Fault(".*", "status", status=504, times=1))
    assert [ask("/movie/603").status_code for _ in range(4)] == [503, 503, 504, 200]
    assert sandbox.faults.fired == 3


def test_a_probability_strikes_some_calls_and_the_same_ones_after_a_reset(sandbox: SandboxServer, ask: Ask) -> None:
    def run() -> list[int]:
        sandbox.reset()
        sandbox.faults.add(Fault(".*", "status", probability=0.5))
        return [ask("/configuration").status_code for _ in range(30)]

    first = run()
    assert 5 < first.count(500) < 25
    assert run() == first


def test_images_can_fail_too(sandbox: SandboxServer, ask: Ask, http: requests.Session) -> None:
    poster = f"{sandbox.image_url}/w92{ask('/movie/603').json()['poster_path']}"
    sandbox.faults.add(Fault(r"/t/p/w92/.*", "truncate", times=1))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        http.get(poster, timeout=5)
    assert http.get(poster, timeout=5).status_code == 200


def test_faults_can_be_armed_over_http(sandbox: SandboxServer, ask: Ask, http: requests.Session) -> None:
    control = sandbox.api_url.removesuffix("/3") + "/_sandbox"
    faults = [{"path": "/movie/603", "kind": "status", "status": 503, "times": 1}]
    assert http.post(f"{control}/faults", json=faults, timeout=5).ok
    assert ask("/movie/603").status_code == 503
    assert http.get(f"{control}/stats", timeout=5).json()["faults_fired"] == 1
    assert http.post(f"{control}/faults", json=[{"path": "("}], timeout=5).status_code == 422
    assert http.post(f"{control}/reset", timeout=5).ok
    assert http.get(f"{control}/stats", timeout=5).json()["faults_fired"] == 0


def test_a_delayed_call_does_not_hold_up_the_end_of_the_server() -> None:
    with SandboxServer(movies=10) as server:
        server.faults.add(Fault(".*", "delay", delay_s=60))
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{server.api_url}/movie/603", timeout=0.1)
        assert server.faults.fired == 1
