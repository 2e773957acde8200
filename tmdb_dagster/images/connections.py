"""The connections to the image hosts: only to public addresses, and only as many as one machine may have.

A host counts the connections of an address, so all runs on a machine share them: a connection holds the lock of one of
CONNECTIONS files for as long as it is open, and the kernel gives the lock back however a process ends. It is lent for
one request at a time: a thread that decodes, stores or waits has none. It is closed when it idles, and after
MAX_LIFETIME_S where another run waits for one.
"""

from __future__ import annotations

import functools
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tmdb_dagster.images.addresses import Network, PublicConnection
from tmdb_dagster.images.locks import Locks
from tmdb_dagster.outgoing import Http, tls_context

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 10.0
IDLE_TIMEOUT_S = 1.0
"""A connection that nobody has used for so long is closed."""

MAX_LIFETIME_S = 2.0
"""So long a connection is kept where another run waits for one; a run that is alone keeps its own."""

POLL_S = 0.1
"""How often a run without a free connection looks for a lock."""

# A host may hear of a connection's end later than of the beginning of the one that follows.
_MARGIN_S = 0.05


class Connection:
    """What a lock allows: one connection to each host."""

    def __init__(self, lock: int, http: Http) -> None:
        self.lock = lock
        self.http = http
        self.opened_at = self.used_at = time.monotonic()


class ConnectionPool:
    """A run's connections, opened as they are needed; `folder` has the locks. Threads share it.

    Private addresses in `networks` are allowed: tunnels give hosts such ones.
    """

    def __init__(
        self, folder: Path, *, answer_timeout_s: float, networks: Sequence[Network], sleep: Callable[[float], None]
    ) -> None:
        self._locks = Locks(folder)
        self._answer_timeout_s = answer_timeout_s
        self._networks = tuple(networks)
        self._sleep = sleep
        self._free: list[Connection] = []
        self._waiting = 0
        self._returned = threading.Condition()
        self._asks_again_at = 0.0
        self._gives_again_at = 0.0
        self._idle_timer: threading.Timer | None = None

    @contextmanager
    def connection(self) -> Iterator[Http]:
        """A connection for one request; waits for it where all are taken. `sleep` may end the wait."""
        connection = self._acquire()
        try:
            yield connection.http
        finally:
            self._release(connection)

    def close(self) -> None:
        """Close all connections, when no thread uses one any more."""
        with self._returned:
            timer, self._idle_timer = self._idle_timer, None
            ending, self._free = self._free, []
        if timer is not None:
            timer.cancel()
            timer.join()
        _end(ending)
        self._locks.close()

    def _acquire(self) -> Connection:
        with self._returned:
            self._waiting += 1
            try:
                while True:
                    if self._free:
                        return self._free.pop()  # the last used one, so that those which are not needed idle
                    if time.monotonic() >= self._asks_again_at:
                        http = self._http()
                        if (lock := self._locks.take()) is not None:
                            return Connection(lock, http)
                        self._locks.wait(True)
                        self._asks_again_at = time.monotonic() + POLL_S
                    self._returned.wait(POLL_S)
                    self._sleep(0)
            finally:
                self._waiting -= 1
                if not self._waiting:
                    self._locks.wait(False)

    def _release(self, connection: Connection) -> None:
        connection.used_at = time.monotonic()
        with self._returned:
            if gives := self._gives(connection):
                # The others look first.
                self._gives_again_at = connection.used_at + POLL_S
                self._asks_again_at = connection.used_at + 2 * POLL_S
            else:
                self._free.append(connection)
                self._returned.notify()
                self._watch_idle()
        if gives:
            _end([connection])

    def _gives(self, connection: Connection) -> bool:
        now = connection.used_at
        if now - connection.opened_at < MAX_LIFETIME_S or now < self._gives_again_at:
            return False
        others_wait = self._locks.others_wait()
        self._locks.wait(self._waiting > 0)
        return others_wait

    def _watch_idle(self) -> None:
        if self._idle_timer is None and self._free:
            self._idle_timer = threading.Timer(IDLE_TIMEOUT_S, self._close_idle)
            self._idle_timer.daemon = True
            self._idle_timer.start()

    def _close_idle(self) -> None:
        with self._returned:
            if self._idle_timer is None:
                return  # the pool is closed
            longest = time.monotonic() - IDLE_TIMEOUT_S
            ending = [connection for connection in self._free if connection.used_at < longest]
            self._free = [connection for connection in self._free if connection.used_at >= longest]
            self._idle_timer = None
            self._watch_idle()
        _end(ending)

    def _http(self) -> Http:
        return Http(
            connections=1,
            context=self._context,
            connect_timeout_s=CONNECT_TIMEOUT_S,
            read_timeout_s=READ_TIMEOUT_S,
            answer_timeout_s=self._answer_timeout_s,
            direct=PublicConnection,
            networks=self._networks,
        )

    @functools.cached_property
    def _context(self) -> ssl.SSLContext:
        return tls_context()


def _end(connections: Sequence[Connection]) -> None:
    """Close connections, and give back their locks."""
    for connection in connections:
        connection.http.close()
    if connections:
        time.sleep(_MARGIN_S)
    for connection in connections:
        os.close(connection.lock)
