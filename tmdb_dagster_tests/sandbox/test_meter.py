"""The rate limit's exact window, and the counters."""

from __future__ import annotations

import pytest
import requests

from tmdb_dagster.sandbox.meter import RateLimit, Stats
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.sandbox.conftest import Ask


def test_the_window_slides_and_refused_calls_do_not_count() -> None:
    limit = RateLimit.parse("3/10s")
    assert [limit.refuses(time) for time in (0.0, 4.0, 8.0)] == [None, None, None]
    assert limit.refuses(9.9) == 4
    assert limit.refuses(9.99) == 5
    assert limit.refuses(10.0) is None
    assert limit.refuses(13.9) is not None
    assert limit.refuses(14.0) is None


@pytest.mark.parametrize("text", ["", "40", "40/", "0/10s", "40/0s", "fast", "-1/1s"])
def test_a_malformed_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="written like 40/10s"):
        RateLimit.parse(text)


def test_peaks_are_the_most_calls_within_any_second_and_any_ten() -> None:
    stats = Stats()
    for time in (0.0, 0.9, 1.0, 1.5, 1.99, 8.0, 9.99, 30.0):
        stats.arrived(time)
    assert stats.calls == 8
    assert stats.peak_1s == 3
    assert stats.peak_10s == 7


def test_calls_over_the_limit_get_tmdbs_429_and_are_counted() -> None:
    with SandboxServer(movies=10, rate_limit="5/60s") as server, requests.Session() as http:
        answers = [http.get(f"{server.api_url}/movie/603?api_key=k", timeout=5) for _ in range(7)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
        assert answers[-1].json() == {
            "status_code": 25,
            "status_message": "Your request count (7) is over the allowed limit of 5.",
        }
        assert "Retry-After" not in answers[-1].headers
        assert (server.stats.calls, server.stats.rate_limited, server.stats.violations) == (7, 2, 2)
        assert server.stats.peak_10s == 7
        assert server.stats.by_endpoint == {"/movie/{id}": 5}
        server.reset()
        assert server.stats == Stats()
        assert http.get(f"{server.api_url}/movie/603?api_key=k", timeout=5).status_code == 200


def test_without_a_limit_nothing_is_refused_and_endpoints_and_images_are_counted(
    sandbox: SandboxServer, ask: Ask, http: requests.Session
) -> None:
    poster = ask("/movie/603").json()["poster_path"]
    ask("/movie/603/credits")
    ask("/movie/550/credits")
    ask("/movie/popular")
    http.get(f"{sandbox.image_url}/w92{poster}", timeout=5)
    stats = sandbox.stats
    assert stats.by_endpoint == {"/movie/{id}": 1, "/movie/{id}/credits": 2, "/movie/popular": 1}
    assert (stats.calls, stats.image_calls, stats.violations) == (4, 1, 0)
    assert stats.peak_10s == 4
