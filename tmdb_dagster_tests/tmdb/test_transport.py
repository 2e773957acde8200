"""Retries, errors and reports of the transport, against the sandbox and its faults."""

from __future__ import annotations

import re
import socket
import traceback
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
import requests

from tmdb_dagster.clock import utc_now
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.tmdb.errors import (
    AuthenticationFailed,
    BadRequest,
    NotFound,
    NotTmdb,
    RateLimited,
    TmdbError,
    TmdbUnavailable,
)
from tmdb_dagster.tmdb.transport import RetryPolicy

from .conftest import API_KEY, TOKEN, MakeProbe, StartRawServer, http

POPULAR = "/movie/popular"
ONCE = RetryPolicy(max_attempts=1)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault(path=POPULAR, kind="status", status=408, times=2), 408),
        (Fault(path=POPULAR, kind="status", status=429, times=2), 429),
        (Fault(path=POPULAR, kind="status", status=500, times=2), 500),
        (Fault(path=POPULAR, kind="status", status=503, times=2), 503),
        (Fault(path=POPULAR, kind="status", status=599, body="<html>origin is down</html>", times=2), 599),
        (Fault(path=POPULAR, kind="html", times=2), 200),
        (Fault(path=POPULAR, kind="truncate", times=2), 200),
        (Fault(path=POPULAR, kind="body", body='{"page": 1, "results": [', times=2), 200),
        (Fault(path=POPULAR, kind="body", body="", times=2), 200),
        (Fault(path=POPULAR, kind="drop", times=2), 0),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else "",
)
def test_a_transient_failure_is_retried(
    sandbox: SandboxServer, make_probe: MakeProbe, fault: Fault, status: int
) -> None:
    sandbox.faults.add(fault)
    probe = make_probe(sandbox.api_url)

    body = probe.transport.get(POPULAR, {"page": 1})

    assert body["page"] == 1
    assert probe.statuses == [status, status, 200]
    assert [call.retry_count for call in probe.calls] == [0, 1, 2]
    assert [call.error_message is None for call in probe.calls] == [False, False, True]
    assert [call.results_count for call in probe.calls] == [None, None, 20]
    assert probe.limiter.acquired == 3
    assert len(probe.sleeps) == 2


def test_waits_grow_with_full_jitter(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    waits: list[list[float]] = []
    for _ in range(20):
        sandbox.faults.add(Fault(path=POPULAR, kind="status", status=500, times=5))
        probe = make_probe(sandbox.api_url, retry=RetryPolicy(base_s=1, max_wait_s=5))
        probe.transport.get(POPULAR)
        assert probe.statuses == [500] * 5 + [200]
        waits.append(probe.sleeps)

    longest = [max(column) for column in zip(*waits, strict=True)]
    assert all(limit / 2 < wait <= limit for wait, limit in zip(longest, (1, 2, 4, 5, 5), strict=True))
    assert min(wait for column in waits for wait in column) < 0.5


def test_exhausted_attempts_end_in_unavailable(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    sandbox.faults.add(Fault(path=POPULAR, kind="status", status=502, times=99))
    probe = make_probe(sandbox.api_url, retry=RetryPolicy(max_attempts=4))

    with pytest.raises(TmdbUnavailable, match=r"^/movie/popular: TMDB answered 502 \(attempt 4\)") as caught:
        probe.transport.get(POPULAR)

    assert probe.statuses == [502] * 4
    assert (caught.value.endpoint, caught.value.http_status, caught.value.attempts) == (POPULAR, 502, 4)
    assert not isinstance(caught.value, RateLimited)


def test_exhausted_by_429_is_rate_limited(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    sandbox.faults.add(Fault(path=POPULAR, kind="status", status=429, times=99))
    probe = make_probe(sandbox.api_url, retry=RetryPolicy(max_attempts=2))

    with pytest.raises(RateLimited, match="TMDB_RATE_LIMIT"):
        probe.transport.get(POPULAR)

    assert probe.statuses == [429, 429]
    assert len(probe.limiter.backed_off) == 2  # the others are held back even when this call gives up


def test_no_retry_starts_after_the_total_time(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    sandbox.faults.add(Fault(path=POPULAR, kind="status", status=503, headers={"Retry-After": "31"}, times=99))
    probe = make_probe(sandbox.api_url, retry=RetryPolicy(max_total_s=30))

    with pytest.raises(TmdbUnavailable) as caught:
        probe.transport.get(POPULAR)

    assert caught.value.retry_after_s == 31
    assert (probe.statuses, probe.sleeps) == ([503], [])


def test_a_connection_that_breaks_is_the_cause(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    sandbox.faults.add(Fault(path=POPULAR, kind="drop", times=1))
    probe = make_probe(sandbox.api_url, retry=ONCE)

    with pytest.raises(TmdbUnavailable) as caught:
        probe.transport.get(POPULAR)

    assert probe.statuses == [0]
    assert isinstance(caught.value.__cause__, requests.ConnectionError)


def test_nobody_listens(make_probe: MakeProbe) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed_port = listener.getsockname()[1]
    probe = make_probe(f"http://127.0.0.1:{closed_port}/3", retry=RetryPolicy(max_attempts=2))

    with pytest.raises(TmdbUnavailable, match=r"refused.*TMDB_API_URL"):
        probe.transport.get(POPULAR)

    assert probe.statuses == [0, 0]
    assert probe.calls[0].response_size_bytes is None


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"Retry-After": "7"}, 7, 7),
        ({"Retry-After": "3600"}, 60, 60),
        ({"Retry-After": "Thu, 31 Dec 2099 23:59:59 GMT"}, 60, 60),
        ({"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0, 0.5),
        ({"X-RateLimit-Reset": "4102444799"}, 60, 60),
        ({"Retry-After": "a while"}, 0, 0.5),
        ({}, 0, 0.5),
    ],
)
def test_a_429_says_how_long_everyone_waits(
    sandbox: SandboxServer, make_probe: MakeProbe, headers: dict[str, str], least: float, most: float
) -> None:
    sandbox.faults.add(Fault(path=POPULAR, kind="status", status=429, headers=headers, times=1))
    probe = make_probe(sandbox.api_url)

    probe.transport.get(POPULAR)

    assert probe.statuses == [429, 200]
    (wait,) = probe.sleeps
    assert least <= wait <= most
    assert probe.limiter.backed_off == [wait]


def test_a_503_holds_only_its_own_call_back(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    sandbox.faults.add(Fault(path=POPULAR, kind="status", status=503, headers={"Retry-After": "9"}, times=1))
    probe = make_probe(sandbox.api_url)

    probe.transport.get(POPULAR)

    assert (probe.statuses, probe.sleeps, probe.limiter.backed_off) == ([503, 200], [9], [])


def tmdb_says(code: int, message: str) -> str:
    return orjson.dumps({"success": False, "status_code": code, "status_message": message}).decode()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, tmdb_says(7, "Invalid API key."), (AuthenticationFailed, r"Invalid API key \(code 7\)")),
        (401, tmdb_says(7, ""), (AuthenticationFailed, "TMDB_READ_ACCESS_TOKEN or TMDB_API_KEY.*settings/api")),
        (403, tmdb_says(45, "User suspended."), (AuthenticationFailed, "answered 403")),
        (401, "<html>", (NotTmdb, "any proxy or firewall")),
        (403, '{"message": "Forbidden"}', (NotTmdb, "not TMDB but .*Forbidden.* answered 403")),
        (403, '{"status_code": 403, "status_message": "Forbidden"}', (NotTmdb, "not TMDB but")),
        (404, '{"status_code": 404, "status_message": "Not Found"}', (NotTmdb, "not TMDB but")),
        (404, '{"errors": ["no route"]}', (NotTmdb, "not TMDB but")),
        (404, tmdb_says(34, "The resource you requested could not be found."), (NotFound, r"\(code 34\)")),
        (404, tmdb_says(6, "Invalid id."), (NotFound, r"Invalid id \(code 6\)")),
        (404, "<html>nginx</html>", (NotTmdb, "TMDB_API_URL")),
        (400, tmdb_says(22, "Invalid page."), (BadRequest, r"400: Invalid page \(code 22\)")),
        (422, '{"errors": ["page must be less than 500"]}', (BadRequest, "422: page must be less than 500")),
        (410, "[]", (NotTmdb, "answered 410")),
        (407, "<h1>Proxy</h1> wants <b>credentials</b>", (NotTmdb, "not TMDB but .*'Proxy wants credentials'")),
        (451, tmdb_says(5, "Legal reasons."), (BadRequest, "451: Legal reasons")),
        (302, "", (NotTmdb, "answered 302")),
    ],
)
def test_a_permanent_failure_is_raised_at_once(
    sandbox: SandboxServer, make_probe: MakeProbe, status: int, body: str, expected: tuple[type[TmdbError], str]
) -> None:
    error, text = expected
    sandbox.faults.add(Fault(path=POPULAR, kind="status", status=status, body=body, times=1))
    probe = make_probe(sandbox.api_url)

    with pytest.raises(error, match=text) as caught:
        probe.transport.get(POPULAR)

    assert type(caught.value) is error
    assert (caught.value.endpoint, caught.value.http_status) == (POPULAR, status)
    assert (probe.statuses, probe.sleeps) == ([status], [])
    assert probe.calls[0].error_message == str(caught.value)


def test_who_answered_in_tmdbs_place_is_named(raw_server: StartRawServer, make_probe: MakeProbe) -> None:
    page = b"<html><style>h1 {}</style><h1>403 ERROR</h1>\nRequest \x1b[31mblocked.</html>"
    blocked = http(page, "403 Forbidden", "Server: CloudFront", "Content-Type: text/html")
    with pytest.raises(NotTmdb) as caught:
        make_probe(raw_server(blocked).api_url).transport.get(POPULAR)
    assert str(caught.value) == (
        "/movie/popular: not TMDB but CloudFront (text/html; '403 ERROR Request [31mblocked.') answered 403. "
        "TMDB does not answer like that: check TMDB_API_URL, and any proxy or firewall on the way."
    )


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("https://login.portal.test/?next=1", "to login.portal.test"),
        ("https://user:password@login.portal.test:8443/", "to login.portal.test:8443"),
        ("http://[", "to ["),
        ("/elsewhere", "without a word"),
    ],
)
def test_where_a_redirect_leads_is_named(
    location: str, host: str, raw_server: StartRawServer, make_probe: MakeProbe
) -> None:
    portal = http(b"", "302 Found", f"Location: {location}")
    with pytest.raises(NotTmdb, match=re.escape(f"another server ({host}) answered 302")):
        make_probe(raw_server(portal).api_url).transport.get(POPULAR)


def test_no_retry_after_makes_us_faster_than_our_own_backoff(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    waits: list[list[float]] = []
    for value in ("0", "-5", "0.01", "Fri, 31 Dec 1999 23:59:59 GMT") * 5:
        sandbox.faults.add(Fault(path=POPULAR, kind="status", status=429, headers={"Retry-After": value}, times=5))
        probe = make_probe(sandbox.api_url, retry=RetryPolicy(base_s=1, max_wait_s=5))
        probe.transport.get(POPULAR)
        assert probe.limiter.backed_off == probe.sleeps
        waits.append(probe.sleeps)

    longest = [max(column) for column in zip(*waits, strict=True)]
    assert all(limit / 2 < wait <= limit for wait, limit in zip(longest, (1, 2, 4, 5, 5), strict=True))


def test_a_v4_token_in_the_place_of_the_key_is_named(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    sandbox.faults.add(Fault(path=POPULAR, kind="status", status=401, times=2))
    with pytest.raises(AuthenticationFailed, match="holds a v4 read access token: move it to TMDB_READ_ACCESS_TOKEN"):
        make_probe(sandbox.api_url, read_access_token=None, api_key=TOKEN).transport.get(POPULAR)
    with pytest.raises(AuthenticationFailed) as caught:
        make_probe(sandbox.api_url, read_access_token=None, api_key=API_KEY).transport.get(POPULAR)
    assert "holds a" not in str(caught.value)


HUGE = 9_000_000


@pytest.mark.parametrize(
    "answer",
    [
        http(tmdb_says(7, "x" * HUGE).encode(), "401 Unauthorized"),
        http(tmdb_says(34, "x" * HUGE).encode(), "404 Not Found"),
        http(orjson.dumps({"errors": ["x" * HUGE]}), "422 Unprocessable"),
        http(orjson.dumps({"errors": ["x" * 100] * 50_000}), "422 Unprocessable"),
        http(b"<html>" + b"x" * HUGE, "403 Forbidden", "Server: " + "s" * 60_000, "Content-Type: " + "t" * 60_000),
        http(tmdb_says(11, "x" * HUGE).encode(), "500 Internal Server Error"),
        http(b"<html>" + b"x" * HUGE, "200 OK", "Content-Type: " + "t" * 60_000),
        http(b"\x0bnot JSON at all", "200 OK", "Content-Encoding: " + "c" * 60_000),
        b"x" * 60_000 + b" is no HTTP\r\n\r\n",
    ],
    ids=["401", "404", "errors", "many errors", "stranger", "500", "no JSON", "coding", "no HTTP"],
)
def test_what_a_server_says_is_cut(answer: bytes, raw_server: StartRawServer, make_probe: MakeProbe) -> None:
    probe = make_probe(raw_server(answer).api_url, retry=ONCE)

    with pytest.raises(TmdbError) as caught:
        probe.transport.get(POPULAR)

    assert len("".join(traceback.format_exception(caught.value))) < 40_000, "this is what Dagster's events keep"
    assert len(str(caught.value)) < 2000
    assert len(probe.calls[0].error_message or "") <= 500


def test_a_v3_key_in_the_place_of_the_token_is_named(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    sandbox.faults.add(Fault(path=POPULAR, kind="status", status=401, times=1))
    with pytest.raises(AuthenticationFailed, match="holds a v3 API key: move it to TMDB_API_KEY"):
        make_probe(sandbox.api_url, read_access_token=API_KEY).transport.get(POPULAR)


@pytest.mark.parametrize("setting", ["api_key", "read_access_token"])
@pytest.mark.parametrize("credential", ["se cret", "secret\nHost:elsewhere", "sécret"])
def test_a_credential_that_no_header_can_carry_is_refused(make_probe: MakeProbe, setting: str, credential: str) -> None:
    with pytest.raises(AuthenticationFailed, match=r"TMDB_(API_KEY|READ_ACCESS_TOKEN)") as caught:
        make_probe("http://127.0.0.1:1/3", **{"read_access_token": None, setting: credential})
    assert "cret" not in str(caught.value)


def test_an_exchange_is_reported_in_full(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    probe = make_probe(sandbox.api_url)
    before = utc_now()
    listed = probe.transport.get(POPULAR, {"page": 1})
    movie_id = listed["results"][0]["id"]
    movie = probe.transport.get(
        f"/movie/{movie_id}", {"append_to_response": "credits,watch/providers"}, tmdb_id=movie_id
    )
    after = utc_now()

    assert {"credits", "watch/providers"} <= movie.keys()
    of_list, of_movie = probe.calls
    assert (of_list.endpoint, of_list.method, of_list.http_status) == (POPULAR, "GET", 200)
    assert (of_list.query_params, of_list.metadata) == ({"page": 1}, {})
    assert (of_list.results_count, of_list.tmdb_id, of_list.error_message) == (20, None, None)
    assert of_movie.endpoint == f"/movie/{movie_id}"
    assert of_movie.query_params == {"append_to_response": "credits,watch/providers"}
    assert of_movie.metadata == {"append_to_response": ["credits", "watch/providers"]}
    assert (of_movie.results_count, of_movie.tmdb_id) == (1, movie_id)
    assert (of_movie.response_size_bytes or 0) > 100
    assert before <= of_list.created_at <= of_movie.created_at <= after


def test_an_error_message_is_one_short_line(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    long = tmdb_says(22, "two\nlines " * 500)
    sandbox.faults.add(Fault(path=POPULAR, kind="status", status=400, body=long, times=1))
    probe = make_probe(sandbox.api_url)

    with pytest.raises(BadRequest):
        probe.transport.get(POPULAR)

    message = probe.calls[0].error_message or ""
    assert len(message) == 500
    assert "\n" not in message


def test_threads_share_one_transport(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    # So few that one thread can meet them all and still has an attempt left.
    sandbox.faults.add(Fault(path=POPULAR, kind="status", status=503, times=5))
    probe = make_probe(sandbox.api_url, connections=4)

    def page_of(number: int) -> int:
        page: int = probe.transport.get(POPULAR, {"page": number % 3 + 1})["page"]
        return page

    with ThreadPoolExecutor(16) as pool:
        pages = list(pool.map(page_of, range(160)))

    assert pages == [number % 3 + 1 for number in range(160)]
    assert sorted(probe.statuses) == [200] * 160 + [503] * 5
    assert probe.limiter.acquired == 165
