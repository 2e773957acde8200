"""Bodies, time-outs and connections, mostly against raw bytes that no sandbox would send."""

from __future__ import annotations

import gzip
import itertools
import socket
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import orjson
import pytest

from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.tmdb.errors import InvalidResponse, NotTmdb, TmdbUnavailable
from tmdb_dagster.tmdb.transport import RetryPolicy

from .conftest import API_KEY, MakeProbe, StartRawServer, http

POPULAR = "/movie/popular"
ONCE = RetryPolicy(max_attempts=1)


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
        body = gzip.compress(body, mtime=0)
    probe = make_probe(raw_server(http(body, "200 OK", *headers)).api_url)

    assert probe.transport.get("/movie/603")["id"] == 603
    assert probe.calls[0].response_size_bytes == len(plain)


@pytest.mark.parametrize("wbits", [zlib.MAX_WBITS, -zlib.MAX_WBITS], ids=["zlib", "raw"])
def test_deflate_is_read_although_it_was_not_asked_for(
    raw_server: StartRawServer, make_probe: MakeProbe, wbits: int
) -> None:
    stream = zlib.compressobj(wbits=wbits)
    body = stream.compress(b'{"id": 603}') + stream.flush()
    probe = make_probe(raw_server(http(body, "200 OK", "Content-Encoding: deflate")).api_url)

    assert probe.transport.get("/movie/603") == {"id": 603}


@pytest.mark.parametrize("coding", ["deflate", "br", "zstd"])
def test_a_coding_that_is_only_claimed_costs_nothing(
    raw_server: StartRawServer, make_probe: MakeProbe, coding: str
) -> None:
    probe = make_probe(raw_server(http(b'{"id": 603}', "200 OK", f"Content-Encoding: {coding}")).api_url)

    assert probe.transport.get("/movie/603") == {"id": 603}


def test_a_coding_that_cannot_be_read_is_named_at_once(raw_server: StartRawServer, make_probe: MakeProbe) -> None:
    body = bytes.fromhex("8b0480 7b226964223a203630332c20227469746c65223a 2203")
    probe = make_probe(raw_server(http(body, "200 OK", "Content-Encoding: br")).api_url)

    with pytest.raises(NotTmdb, match=r"is not JSON, but coded as 'br', which nobody asked for.*proxy"):
        probe.transport.get("/movie/603")

    assert probe.statuses == [200]


WHOLE = '{"id": 603, "overview": "caf\u00e9 MARK and more", "tagline": "kept \U0001f600"}'


@pytest.mark.parametrize(
    ("body", "overview"),
    [
        (b"\xef\xbb\xbf" + WHOLE.encode(), "café MARK and more"),
        (WHOLE.encode("utf-16"), "café MARK and more"),
        (WHOLE.replace("MARK", "\\ud83d").encode(), "café  and more"),
        (WHOLE.replace("MARK", "\\ude00").encode(), "café  and more"),
        (WHOLE.encode().replace(b"MARK", b"\xed\xa0\xbd"), "café  and more"),
        (WHOLE.encode().replace(b"MARK", b"\xe9"), "café  and more"),
        (WHOLE.encode().replace(b"MARK", b"\xf0\x9f\x98"), "café  and more"),
        (WHOLE.replace("MARK", "\x01").encode(), "café  and more"),
        (WHOLE.replace("MARK", "a\tb\nc").encode(), "café a\tb\nc and more"),
        (WHOLE.replace("603", "\x0c603").encode(), "café MARK and more"),
        (WHOLE.encode() + b"\0\0", "café MARK and more"),
        (WHOLE.encode().replace(b"603,", b"603,\xa0"), "café MARK and more"),
    ],
    ids=[
        "byte order mark",
        "UTF-16",
        "half an emoji",
        "its other half",
        "half an emoji as bytes",
        "Latin-1",
        "a character cut off",
        "control character",
        "line break",
        "control character between tokens",
        "padding",
        "no-break space between tokens",
    ],
)
def test_an_odd_byte_costs_a_character(
    raw_server: StartRawServer, make_probe: MakeProbe, body: bytes, overview: str
) -> None:
    probe = make_probe(raw_server(http(body)).api_url)

    document = probe.transport.get("/movie/603")

    assert document == {"id": 603, "overview": overview, "tagline": "kept \U0001f600"}
    assert orjson.dumps(document), "it can be stored"
    assert probe.statuses == [200]


@pytest.mark.parametrize("body", [b'{"id": 603,, "title": "x"}', b"{'id': 603}", b'[{"id": 1} {"id": 2}]'])
def test_a_whole_body_that_is_no_json_is_not_asked_for_again(
    raw_server: StartRawServer, make_probe: MakeProbe, body: bytes
) -> None:
    probe = make_probe(raw_server(http(body)).api_url)

    with pytest.raises(InvalidResponse, match=r"is not JSON: .*another attempt would bring the same"):
        probe.transport.get("/movie/603")

    assert probe.statuses == [200]


GZIPPED = gzip.compress(b'{"id": 603}', mtime=0)


@pytest.mark.parametrize("body", [GZIPPED[:-9], GZIPPED[:12] + b"garbage"], ids=["cut off", "garbled"])
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


@pytest.mark.parametrize(
    "answer", [endless, http(gzip.compress(b" " * 50_000_000, mtime=0))], ids=["endless", "gzip bomb"]
)
def test_a_body_beyond_all_measure_is_refused(raw_server: StartRawServer, make_probe: MakeProbe, answer: Any) -> None:
    probe = make_probe(raw_server(answer).api_url)

    with pytest.raises(InvalidResponse, match="larger than 10 MB"):
        probe.transport.get("/movie/603")

    assert probe.statuses == [200]


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


def test_a_redirect_is_not_followed(raw_server: StartRawServer, make_probe: MakeProbe) -> None:
    elsewhere = raw_server(http(b'{"id": 1}'))
    server = raw_server(http(b"", "301 Moved", f"Location: {elsewhere.api_url}/movie/1"))
    probe = make_probe(server.api_url)

    with pytest.raises(InvalidResponse):
        probe.transport.get("/movie/1")

    assert len(server.requests) == 1
    assert elsewhere.requests == []


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
