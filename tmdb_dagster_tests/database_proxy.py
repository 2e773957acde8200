"""A proxy before Postgres that cuts or freezes connections at a chosen moment."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy.engine import URL, make_url

Judge = Callable[[bytes], str | None]
"""Given what a client sends: `cut` forwards it and closes the connection without the answer, `freeze` forwards nothing
more and keeps the connection open; None lets it pass."""


class DatabaseProxy:
    """Stands between clients and a server that listens on a Unix socket; `fired` counts its faults."""

    def __init__(self, server: URL) -> None:
        self._path = f"{server.query['host']}/.s.PGSQL.{server.port or 5432}"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.judge: Judge | None = None
        self.fired = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._path)
                self._open += [client, server]
                threading.Thread(target=self._forward, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._forward, args=(server, client, False), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, asks: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                verdict = self.judge(data) if asks and self.judge else None
                if verdict == "freeze":
                    self.fired += 1
                    threading.Event().wait()
                if verdict == "cut":
                    self.fired += 1
                    target.shutdown(socket.SHUT_RD)  # the answer reaches nobody
                    target.sendall(data)
                    time.sleep(0.3)
                    break
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def cut_all(self) -> None:
        """Close every connection."""
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it with all its connections."""
        self._listener.close()
        self.cut_all()


@contextmanager
def database_proxy(url: str) -> Iterator[tuple[DatabaseProxy, str]]:
    """A proxy before the server of `url`, and the address of the same database through it."""
    server = make_url(url)
    proxy = DatabaseProxy(server)
    through = URL.create(server.drivername, server.username, "x", "127.0.0.1", proxy.port, server.database)
    try:
        yield proxy, through.render_as_string(hide_password=False)
    finally:
        proxy.close()


def once(text: bytes, verdict: str) -> Judge:
    """The verdict on the first message that holds `text`, and none on others."""
    left = [verdict]
    return lambda data: left.pop() if text in data and left else None
