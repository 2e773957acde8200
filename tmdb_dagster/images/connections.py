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

from urllib3.connection import HTTPConnection

from tmdb_dagster.images.errors import ImageError, ImageRefused
from tmdb_dagster.outgoing import Http, is_loopback, tls_context

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

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
# Site-local addresses and NAT64 within a network, which not every Python counts as private.
_LOCAL_NETWORKS = (ipaddress.IPv6Network("fec0::/10"), ipaddress.IPv6Network("64:ff9b:1::/48"))

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
        self._locks = _Locks(folder)
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
                        if (lock := self._locks.take()) is not None:
                            return Connection(lock, self._http())
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
            direct=_PublicConnection,
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


class _PublicConnection(HTTPConnection):
    """Mixed into connections that go by no proxy: a public name must not lead to a private address.

    Which address a proxy asks, only the proxy knows.
    """

    networks: Sequence[Network]

    def _new_conn(self) -> socket.socket:
        new = super()._new_conn()
        peer = str(new.getpeername()[0])
        if not is_local(self.host) and not _is_public(peer) and not any(_address(peer) in n for n in self.networks):
            new.close()
            raise ImageRefused(
                f"{self.host} is at {peer}, which is no public address. If a tunnel gives such ones, allow them by "
                "IMAGE_ALLOWED_NETWORKS."
            )
        return new


def is_local(host: str) -> bool:
    """Whether the host is this machine, or an address of a private network."""
    try:
        return not _is_public(host)
    except ValueError:
        return is_loopback(host)


def _is_public(address: str) -> bool:
    ip = _address(address)
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _LOCAL_NETWORKS)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address; of an IPv6 form of an IPv4 address (mapped, compatible, 6to4, NAT64) the IPv4 address."""
    ip = ipaddress.ip_address(text.partition("%")[0].strip("[]"))
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64 or (ip in _COMPATIBLE and int(ip) > 1):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
