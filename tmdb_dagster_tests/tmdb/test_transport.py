"""The transport against the sandbox and its faults, and against raw bytes that no sandbox would send."""

from __future__ import annotations

import gzip
import itertools
import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests

from tmdb_dagster.clock import utc_now
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.tmdb.errors import (
    AuthenticationFailed,
    BadRequest,
    InvalidResponse,
    NotFound,
    RateLimited,
    TmdbError,
    TmdbUnavailable,
)
from tmdb_dagster.tmdb.transport import RetryPolicy

from .conftest import API_KEY, TOKEN, MakeProbe, StartRawServer, http

POPULAR = "/movie/popular"
ONCE = RetryPolicy(max_attempts=1)


# --- retries


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


# --- what a 429 says


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"Retry-After": "7"}, 7, 7),
        ({"Retry-After": "3600"}, 60, 60),
        ({"Retry-After": format_datetime(utc_now() + timedelta(days=1), usegmt=True)}, 60, 60),
        ({"Retry-After": format_datetime(utc_now() - timedelta(days=1), usegmt=True)}, 0, 0),
        ({"X-RateLimit-Reset": str(int(utc_now().timestamp()) + 86_400)}, 60, 60),
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


# --- answers that no retry improves


def tmdb_says(code: int, message: str) -> str:
    return orjson.dumps({"success": False, "status_code": code, "status_message": message}).decode()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, tmdb_says(7, "Invalid API key."), (AuthenticationFailed, r"Invalid API key \(code 7\)")),
        (401, "<html>", (AuthenticationFailed, "TMDB_READ_ACCESS_TOKEN or TMDB_API_KEY.*settings/api")),
        (403, "<html>", (AuthenticationFailed, "answered 403")),
        (404, tmdb_says(34, "The resource you requested could not be found."), (NotFound, r"\(code 34\)")),
        (404, tmdb_says(6, "Invalid id."), (NotFound, r"Invalid id \(code 6\)")),
        (404, "<html>nginx</html>", (InvalidResponse, "TMDB_API_URL")),
        (400, tmdb_says(22, "Invalid page."), (BadRequest, r"400: Invalid page \(code 22\)")),
        (422, '{"errors": ["page must be less than 500"]}', (BadRequest, "422: page must be less than 500")),
        (410, "[]", (BadRequest, "answered 410")),
        (302, "", (InvalidResponse, "answered 302")),
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


def test_a_v3_key_in_the_place_of_the_token_is_named(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    sandbox.faults.add(Fault(path=POPULAR, kind="status", status=401, times=1))
    with pytest.raises(AuthenticationFailed, match="holds a v3 API key: move it to TMDB_API_KEY"):
        make_probe(sandbox.api_url, read_access_token=API_KEY).transport.get(POPULAR)


@pytest.mark.parametrize("setting", ["api_key", "read_access_token"])
@pytest.mark.parametrize("credential", ["se cret", "secret\nHost: elsewhere", "sécret"])
def test_a_credential_that_no_header_can_carry_is_refused(make_probe: MakeProbe, setting: str, credential: str) -> None:
    with pytest.raises(AuthenticationFailed, match=r"TMDB_(API_KEY|READ_ACCESS_TOKEN)") as caught:
        make_probe("http://127.0.0.1:1/3", **{"read_access_token": None, setting: credential})
    assert "cret" not in str(caught.value)


def test_a_redirect_is_not_followed(raw_server: StartRawServer, make_probe: MakeProbe) -> None:
    elsewhere = raw_server(http(b'{"id": 1}'))
    server = raw_server(http(b"", "301 Moved", f"Location: {elsewhere.api_url}/movie/1"))
    probe = make_probe(server.api_url)

    with pytest.raises(InvalidResponse):
        probe.transport.get("/movie/1")

    assert len(server.requests) == 1
    assert elsewhere.requests == []


# --- bodies


def test_gzip_without_content_encoding_is_decoded(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    plain = make_probe(sandbox.api_url).transport.get(POPULAR, {"page": 2})
    sandbox.faults.add(Fault(path=POPULAR, kind="raw_gzip", times=1))
    probe = make_probe(sandbox.api_url)

    assert probe.transport.get(POPULAR, {"page": 2}) == plain
    assert sandbox.stats.faults_fired == 1
    assert probe.statuses == [200]


@pytest.mark.parametrize("headers", [[], ["Content-Encoding: gzip"]])
@pytest.mark.parametrize("times", [0, 1, 2])
def test_gzip_is_known_by_its_bytes(
    raw_server: StartRawServer, make_probe: MakeProbe, headers: list[str], times: int
) -> None:
    plain = body = orjson.dumps({"id": 603, "title": "x" * 200})
    for _ in range(times):
        body = gzip.compress(body)
    probe = make_probe(raw_server(http(body, "200 OK", *headers)).api_url)

    assert probe.transport.get("/movie/603")["id"] == 603
    assert probe.calls[0].response_size_bytes == len(plain)


@pytest.mark.parametrize("body", [gzip.compress(b'{"id": 603}')[:-9], gzip.compress(b'{"id": 603}')[:12] + b"garbage"])
def test_damaged_gzip_is_retried(raw_server: StartRawServer, make_probe: MakeProbe, body: bytes) -> None:
    probe = make_probe(raw_server(http(body), http(b'{"id": 603}')).api_url)

    assert probe.transport.get("/movie/603") == {"id": 603}
    assert [call.error_message is None for call in probe.calls] == [False, True]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b'{"id": 603}',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b'b\r\n{"id": 603}\r\n',
    ],
    ids=["content-length", "chunked"],
)
def test_a_body_cut_off_after_valid_json_is_not_taken_for_whole(
    raw_server: StartRawServer, make_probe: MakeProbe, answer: bytes
) -> None:
    probe = make_probe(raw_server(answer, http(b'{"id": 604}')).api_url)
    assert probe.transport.get("/movie/603") == {"id": 604}


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b" " * 65_536)


@pytest.mark.parametrize("answer", [endless, http(gzip.compress(b" " * 50_000_000))], ids=["endless", "gzip bomb"])
def test_a_body_beyond_all_measure_is_refused(raw_server: StartRawServer, make_probe: MakeProbe, answer: Any) -> None:
    probe = make_probe(raw_server(answer).api_url)

    with pytest.raises(InvalidResponse, match="larger than 10 MB"):
        probe.transport.get("/movie/603")

    assert probe.statuses == [200]


# --- time


def dripping(*parts: bytes) -> Callable[[socket.socket], None]:
    """The parts at once, then a byte of white space or header every 20 ms until the client hangs up."""

    def say(connection: socket.socket) -> None:
        connection.settimeout(0.02)
        for part in itertools.chain(parts, itertools.repeat(b"x")):
            connection.sendall(part)
            try:
                if connection.recv(1) == b"":
                    return
            except TimeoutError:
                continue

    return say


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"), 200),
        (dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n"), 200),
        (dripping(b"HTTP/1.1 200 OK\r\nX-Long: "), 0),
    ],
    ids=["body", "chunk", "header"],
)
def test_an_answer_that_drips_in_for_ever_meets_its_deadline(
    raw_server: StartRawServer, make_probe: MakeProbe, answer: Any, status: int
) -> None:
    server = raw_server(answer)
    probe = make_probe(server.api_url, read_timeout_s=30, answer_timeout_s=0.3, retry=ONCE)

    with pytest.raises(TmdbUnavailable, match=r"no complete answer.*time"):
        probe.transport.get("/movie/603")

    assert probe.statuses == [status]
    assert len(server.requests) == 1


def test_the_deadline_also_ends_a_silence_that_the_read_timeout_allows(
    raw_server: StartRawServer, make_probe: MakeProbe
) -> None:
    whole = http(b'{"id": 603}')

    def pause(connection: socket.socket) -> None:
        connection.sendall(whole[:-5])
        connection.settimeout(2)
        with suppress(TimeoutError):
            connection.recv(1)  # comes back at once when the client hangs up
        connection.sendall(whole[-5:])

    probe = make_probe(raw_server(pause).api_url, read_timeout_s=30, answer_timeout_s=0.2, retry=ONCE)

    with pytest.raises(TmdbUnavailable, match="time"):
        probe.transport.get("/movie/603")


def test_no_time_at_all_is_no_time(raw_server: StartRawServer, make_probe: MakeProbe) -> None:
    probe = make_probe(raw_server(http(b"{}")).api_url, answer_timeout_s=0, retry=ONCE)
    with pytest.raises(TmdbUnavailable, match="not complete in time"):
        probe.transport.get("/movie/603")


def test_silence_meets_the_read_timeout(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    sandbox.faults.add(Fault(path=POPULAR, kind="delay", delay_s=1, times=1))
    probe = make_probe(sandbox.api_url, read_timeout_s=0.1)

    probe.transport.get(POPULAR)

    assert probe.statuses == [0, 200]


# --- reports


def test_an_exchange_is_reported_in_full(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    probe = make_probe(sandbox.api_url)
    before = utc_now()
    listed = probe.transport.get(POPULAR, {"page": 1})
    movie_id = listed["results"][0]["id"]
    movie = probe.transport.get(
        f"/movie/{movie_id}", {"append_to_response": "credits,watch/providers"}, tmdb_id=str(movie_id)
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
    assert (of_movie.results_count, of_movie.tmdb_id) == (1, str(movie_id))
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
    sandbox.faults.add(Fault(path=POPULAR, kind="status", status=503, times=10))
    probe = make_probe(sandbox.api_url, connections=4)

    def page_of(number: int) -> int:
        page: int = probe.transport.get(POPULAR, {"page": number % 3 + 1})["page"]
        return page

    with ThreadPoolExecutor(16) as pool:
        pages = list(pool.map(page_of, range(160)))

    assert pages == [number % 3 + 1 for number in range(160)]
    assert sorted(probe.statuses) == [200] * 160 + [503] * 10
    assert probe.limiter.acquired == 170


def test_as_many_calls_are_in_flight_as_there_are_connections(
    raw_server: StartRawServer, make_probe: MakeProbe
) -> None:
    together = threading.Barrier(4, timeout=10)

    def answer_when_all_are_there(connection: socket.socket) -> None:
        together.wait()
        connection.sendall(http(b"{}"))

    probe = make_probe(raw_server(answer_when_all_are_there).api_url, connections=4, retry=ONCE)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(probe.transport.get, ["/movie/603"] * 4)) == [{}] * 4


# --- the key


def every_text(error: BaseException) -> Iterator[str]:
    """All that a log, a debugger or an event could show of an exception."""
    yield from traceback.format_exception(error)
    link: BaseException | None = error
    while link is not None:
        yield repr(link)
        yield repr(link.args)
        yield repr(vars(link))
        yield str(getattr(getattr(link, "request", None), "url", ""))
        link = link.__cause__ or link.__context__


FAILURES: dict[str, bytes] = {
    "hang up": b"",
    "html": http(b"<html>%s</html>"),
    "500": http(b"%s", "500 Internal Server Error"),
    "401 with an echo": http(b'{"status_code": 7, "status_message": "no such key: %s"}', "401 Unauthorized"),
    "422 with an echo": http(b'{"errors": ["?api_key=%s"]}', "422 Unprocessable"),
    "redirect with an echo": http(b"", "302 Found", "Location: https://elsewhere.test/?api_key=%s"),
    "echo for a status line": b"GET /3/movie/603?api_key=%s is no HTTP\r\n\r\n",
    "echo for a content type": http(b"<html>", "200 OK", "Content-Type: %s"),
    "cut off": b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n%s",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n",
    "header without a colon": b"HTTP/1.1 200 OK\r\n%s\r\n\r\n",
    "header continued": b"HTTP/1.1 200 OK\r\n %s: continued\r\n\r\n",
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize(
    "credentials",
    [{"api_key": API_KEY, "read_access_token": None}, {"api_key": None, "read_access_token": TOKEN}],
    ids=["api_key", "read_access_token"],
)
def test_the_credential_is_sent_and_appears_nowhere_else(
    raw_server: StartRawServer,
    make_probe: MakeProbe,
    caplog: pytest.LogCaptureFixture,
    credentials: dict[str, str | None],
    failure: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, logger=name)
    secret = credentials["api_key"] or credentials["read_access_token"] or ""
    server = raw_server(FAILURES[failure].replace(b"%s", secret.encode()))
    probe = make_probe(server.api_url, retry=RetryPolicy(max_attempts=2), **credentials)

    with pytest.raises(TmdbError) as caught:
        probe.transport.get("/movie/603", {"language": "en-US"})

    request = server.requests[0].decode()
    assert (f"?language=en-US&api_key={secret} " in request) == bool(credentials["api_key"])
    assert (f"Authorization: Bearer {secret}\r\n" in request) == bool(credentials["read_access_token"])
    assert "GET /3/movie/603?language=en-US" in caplog.text or failure in (
        "hang up",
        "echo for a status line",
    )
    seen = [*every_text(caught.value), caplog.text, repr(probe.calls), repr(probe.transport)]
    assert [text for text in seen if secret in text] == []


def test_the_key_is_hidden_where_no_connection_comes_about(
    make_probe: MakeProbe, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed_port = listener.getsockname()[1]
    probe = make_probe(f"http://127.0.0.1:{closed_port}/3", api_key=API_KEY, read_access_token=None)

    with pytest.raises(TmdbUnavailable) as caught:
        probe.transport.get("/movie/603")

    seen = [*every_text(caught.value), caplog.text, repr(probe.calls)]
    assert [text for text in seen if API_KEY in text] == []


def test_the_token_is_preferred_and_a_netrc_does_not_replace_it(
    raw_server: StartRawServer, make_probe: MakeProbe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server = raw_server(http(b"{}"))

    make_probe(server.api_url, api_key=API_KEY, read_access_token=f" {TOKEN}\n").transport.get("/movie/603")

    request = server.requests[0].decode()
    assert f"Authorization: Bearer {TOKEN}\r\n" in request
    assert API_KEY not in request


def test_a_proxy_of_the_environment_is_used(
    raw_server: StartRawServer, make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = raw_server(http(b'{"id": 603}'))
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("http_proxy", proxy.api_url.removesuffix("/3"))
    probe = make_probe("http://tmdb.test/3", api_key=API_KEY, read_access_token=None)

    assert probe.transport.get("/movie/603") == {"id": 603}
    assert proxy.requests[0].startswith(b"GET http://tmdb.test/3/movie/603?api_key=" + API_KEY.encode())
