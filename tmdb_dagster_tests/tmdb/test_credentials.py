"""The API key and the token: sent to TMDB, and shown nowhere else."""

from __future__ import annotations

import logging
import socket
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from tmdb_dagster.tmdb.errors import TmdbError, TmdbUnavailable
from tmdb_dagster.tmdb.transport import RetryPolicy

from .conftest import API_KEY, TOKEN, MakeProbe, StartRawServer, http


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
