"""The connections to the image hosts: only to public addresses, and only as many as one machine may have.

A host counts the connections of an address, so all runs on a machine share them: a connection holds the lock of one of
CONNECTIONS files for as long as it is open, and the kernel gives the lock back however a process ends. It is lent for
one request at a time: a thread that decodes, stores or waits has none. It is closed when it idles, and after
MAX_LIFETIME_S where another run waits for one.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import ipaddress
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import urllib3
from certifi import where
from urllib3.connection import HTTPConnection, HTTPSConnection

from tmdb_dagster.images.errors import ImageError, ImageRefused

CONNECTIONS = 20
"""Of one machine to an image host."""

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


class _Locks:
    """The locks of one machine's connections, and the word that somebody waits for one.

    Each opening of a file has a lock of its own, so that two runs in one process exclude one another as well. Raises
    ImageError where the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting = -1

    def take(self) -> int | None:
        """The open file of a lock that was free, if there is one: closing it gives the lock back."""
        for number in range(CONNECTIONS):
            file = self._open(f"connection-{number}")
            if _locked(file, fcntl.LOCK_EX):
                return file
            os.close(file)
        return None

    def wait(self, waits: bool) -> None:
        """Say whether this run waits for a lock."""
        if waits and self._waiting < 0:
            self._waiting = self._open("waiting")
        if self._waiting >= 0:
            _locked(self._waiting, fcntl.LOCK_SH if waits else fcntl.LOCK_UN)

    def others_wait(self) -> bool:
        """Whether another run waits for a lock; forgets that this one does."""
        if self._waiting < 0:
            self._waiting = self._open("waiting")
        others = not _locked(self._waiting, fcntl.LOCK_EX)
        _locked(self._waiting, fcntl.LOCK_UN)
        return others

    def close(self) -> None:
        if self._waiting >= 0:
            os.close(self._waiting)
            self._waiting = -1

    def _open(self, name: str) -> int:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._folder.lstat().st_uid != os.getuid():
                raise PermissionError(errno.EPERM, "the folder is another user's")
            return os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise ImageError(
                f"{self._folder / name}, a lock of the connections to the image hosts, cannot be opened: "
                f"{error.strerror}. Remove the folder, or let this user write to it."
            ) from error


def _locked(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Connection(urllib3.PoolManager):
    """What a lock allows: one connection to each host."""

    def __init__(self, lock: int, context: ssl.SSLContext) -> None:
        super().__init__(
            maxsize=1,
            block=True,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
            ssl_context=context,
            headers={"Accept": "image/jpeg,image/png,image/webp", "User-Agent": "tmdb_dagster"},
        )
        self.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        self.lock = lock
        self.opened_at = self.used_at = time.monotonic()

    def close(self) -> None:
        """Close the connections; the lock stays."""
        for key in self.pools.keys():  # noqa: SIM118 - it is no mapping to iterate over
            self.pools[key].close()
        self.clear()


class ConnectionPool:
    """A run's connections, opened as they are needed; `folder` has the locks. Threads share it."""

    def __init__(self, folder: Path, *, sleep: Callable[[float], None]) -> None:
        self._locks = _Locks(folder)
        self._sleep = sleep
        self._free: list[Connection] = []
        self._waiting = 0
        self._returned = threading.Condition()
        self._asks_again_at = 0.0
        self._gives_again_at = 0.0
        self._idle_timer: threading.Timer | None = None

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection for one request; waits for it where all are taken. `sleep` may end the wait."""
        connection = self._acquire()
        try:
            yield connection
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
                        if (lock := self._locks.take()) is not None:
                            return Connection(lock, self._context)
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

    @functools.cached_property
    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=where())


def _end(connections: Sequence[Connection]) -> None:
    """Close connections, and give back their locks."""
    for connection in connections:
        connection.close()
    if connections:
        time.sleep(_MARGIN_S)
    for connection in connections:
        os.close(connection.lock)


class _HttpConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _checked(self, super()._new_conn())


class _HttpsConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _checked(self, super()._new_conn())


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


def is_local(host: str) -> bool:
    """Whether the host is this machine, or an address of a private network."""
    try:
        return not _is_public(host)
    except ValueError:
        return host == "localhost"


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0].strip("[]"))
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_global and not (mapped or ip).is_multicast


def _checked(connection: HTTPConnection, new: socket.socket) -> socket.socket:
    peer = str(new.getpeername()[0])
    if not is_local(connection.host) and not _is_public(peer):
        new.close()
        raise ImageRefused(f"{connection.host} is at {peer}, which is no public address")
    return new
