"""A transport that records instead of sleeping, the sandbox, and a server of any bytes a test wants."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.tmdb.transport import ApiCall, Transport

API_KEY = "5ec2e7000000000000000000000000a1"
TOKEN = "eyJzZWNyZXQ.dG9rZW4.c2lnbmF0dXJl"


class RecordingLimiter:
    def __init__(self) -> None:
        self.acquired = 0
        self.backed_off: list[float] = []
        self._lock = threading.Lock()

    def acquire(self) -> None:
        with self._lock:
            self.acquired += 1

    def answered(self) -> None: ...

    def back_off(self, seconds: float) -> None:
        self.backed_off.append(seconds)

    def close(self) -> None: ...


@dataclass
class Probe:
    """A transport and all that it did."""

    transport: Transport
    calls: list[ApiCall]
    limiter: RecordingLimiter
    sleeps: list[float]

    @property
    def statuses(self) -> list[int]:
        return [call.http_status for call in self.calls]


MakeProbe = Callable[..., Probe]


@pytest.fixture
def make_probe(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeProbe]:
    """Makes a Probe of an API address; keywords go to the Transport."""
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with ExitStack() as stack:

        def make(api_url: str, **settings: Any) -> Probe:
            calls: list[ApiCall] = []
            sleeps: list[float] = []
            limiter = RecordingLimiter()
            settings = {"read_access_token": TOKEN} | settings
            transport = Transport(api_url, limiter=limiter, on_call=calls.append, sleep=sleeps.append, **settings)
            return Probe(stack.enter_context(transport), calls, limiter, sleeps)

        yield make


@pytest.fixture(scope="session")
def _sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(movies=60) as server:
        yield server


@pytest.fixture
def sandbox(_sandbox: SandboxServer) -> SandboxServer:
    _sandbox.reset()
    return _sandbox


Say = bytes | Callable[[socket.socket], None]


@dataclass
class RawServer:
    """Answers its n-th request with the n-th answer, the last one for ever, and then hangs up."""

    api_url: str
    requests: list[bytes] = field(default_factory=list)


StartRawServer = Callable[..., RawServer]


@pytest.fixture
def raw_server() -> Iterator[StartRawServer]:
    with ExitStack() as stack:

        def start(*answers: Say) -> RawServer:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            server = RawServer(f"http://127.0.0.1:{listener.getsockname()[1]}/3")
            thread = threading.Thread(target=_listen, args=(listener, server, answers))
            thread.start()
            stack.callback(thread.join)
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            return server

        yield start


def _listen(listener: socket.socket, server: RawServer, answers: tuple[Say, ...]) -> None:
    with ThreadPoolExecutor(16) as pool:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # shut down: the test is over
                return
            pool.submit(_converse, connection, server, answers)


def _converse(connection: socket.socket, server: RawServer, answers: tuple[Say, ...]) -> None:
    with connection, suppress(OSError):  # the client may hang up, as some tests want it to
        request = b""
        while b"\r\n\r\n" not in request:
            received = connection.recv(65_536)
            if not received:
                return
            request += received
        server.requests.append(request)
        answer = answers[min(len(server.requests), len(answers)) - 1]
        if isinstance(answer, bytes):
            connection.sendall(answer)
        else:
            answer(connection)


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
