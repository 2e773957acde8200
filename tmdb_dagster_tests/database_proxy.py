"""A TCP proxy in front of Postgres that does harm at a chosen statement: it reads what psycopg2 sends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import URL, make_url

Harm = Literal["cut", "swallow", "freeze"]
"""cut: both sides lose the connection, and the statement is not sent. swallow: the statement is sent and done, and its
answer is lost with the connection. freeze: the connection stays, and nothing passes any more, as with a machine that
lost its power."""


@dataclass
class Plan:
    """What to do at the statements that hold `words`: from the `after`-th on, `times` times. `done` counts."""

    words: bytes
    harm: Harm
    after: int = 0
    times: int = 1
    met: int = 0
    done: int = 0
    struck: threading.Event = field(default_factory=threading.Event)


class Proxy:
    """Passes connections on to where `connect` leads, and carries out its plan."""

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._lock = threading.Lock()
        self._plan: Plan | None = None
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, plan: Plan) -> Plan:
        """Carry out this plan, and no other."""
        with self._lock:
            self._plan = plan
        return plan

    def disarm(self) -> None:
        """Do no more harm; what is frozen stays so until it is cut."""
        with self._lock:
            self._plan = None

    def close(self) -> None:
        """Cut all connections, and take no more."""
        self._listening.close()
        self.cut_all()

    def cut_all(self) -> None:
        """Cut all connections, frozen ones as well."""
        with self._lock:
            sockets, self._open = self._open, []
        for one in sockets:
            _cut(one)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = self._connect()
                with self._lock:
                    self._open += [client, server]
                state = _Link(client, server)
                threading.Thread(target=self._to_server, args=(state,), daemon=True).start()
                threading.Thread(target=self._to_client, args=(state,), daemon=True).start()

    def _to_server(self, link: _Link) -> None:
        with suppress(OSError):
            while data := link.client.recv(1 << 20):
                harm = self._harm(data)
                if harm == "cut":
                    break
                if harm is not None:
                    link.dropping = harm
                if harm != "freeze":
                    link.server.sendall(data)
                if link.dropping == "freeze":
                    return
        _cut(link.client)
        _cut(link.server)

    def _to_client(self, link: _Link) -> None:
        with suppress(OSError):
            while data := link.server.recv(1 << 20):
                if link.dropping == "freeze":
                    return
                if link.dropping == "swallow":
                    break
                link.client.sendall(data)
        if link.dropping != "freeze":
            _cut(link.client)
            _cut(link.server)

    def _harm(self, data: bytes) -> Harm | None:
        with self._lock:
            plan = self._plan
            if plan is None or plan.words not in data:
                return None
            plan.met += 1
            if plan.met <= plan.after or plan.done >= plan.times:
                return None
            plan.done += 1
        plan.struck.set()
        return plan.harm


@dataclass
class _Link:
    client: socket.socket
    server: socket.socket
    dropping: Harm | None = None


def _cut(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextmanager
def database_proxy(url: str) -> Iterator[tuple[Proxy, URL]]:
    """A proxy before the server of `url`, and the address of the same database through it."""
    server = make_url(url)

    def connect() -> socket.socket:
        if "host" not in server.query:
            return socket.create_connection((server.host, server.port))
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(f"{server.query['host']}/.s.PGSQL.{server.port or 5432}")
        return connection

    proxy = Proxy(connect)
    try:
        yield proxy, server.set(host="127.0.0.1", port=proxy.port, query={})
    finally:
        proxy.close()
