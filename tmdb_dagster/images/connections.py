"""The connections to the image hosts: only to public addresses, and only as many as all runs together may have.

A connection needs a slot, and runs share the slots. It is lent for one request at a time: a thread that decodes,
stores or waits holds none. A slot goes back when its connection idles, and from time to time when another run
may have none.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import urllib3
from certifi import where
from urllib3.connection import HTTPConnection, HTTPSConnection

from tmdb_dagster.images.errors import ImageRefused

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 10.0
IDLE_S = 1.0
"""A connection that nobody has used for so long is closed."""

POLL_S = 0.2
"""How often a thread without a connection asks for a slot."""

REVIEW_S = 1.0
"""How often a run looks whether others wait for its slots."""

_SOON_S = 0.05
# A host may hear of a connection's end later than of the beginning of the one that follows.
_MARGIN_S = 0.05


class Slots(Protocol):
    """The right to a connection, which runs share."""

    def take(self) -> int | None:
        """A free slot, if there is one."""
        ...

    def keep(self, slots: Sequence[int]) -> tuple[frozenset[int], int] | None:
        """Keep these slots and give back all others.

        Returns those that are the run's, and how many of them other runs should have; None where nobody can tell at
        this moment.
        """
        ...


class Line(urllib3.PoolManager):
    """What a slot allows: one connection to each host."""

    def __init__(self, slot: int, hosts: int, context: ssl.SSLContext) -> None:
        super().__init__(
            num_pools=hosts,
            maxsize=1,
            block=True,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
            ssl_context=context,
            headers={"Accept": "image/jpeg,image/png,image/webp", "User-Agent": "tmdb_dagster"},
        )
        self.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        self.slot = slot
        self.retired = False
        self.used_at = time.monotonic()

    def hang_up(self) -> None:
        """Close the connections."""
        for key in self.pools.keys():  # noqa: SIM118 - it is no mapping to iterate over
            self.pools[key].close()
        self.clear()


class Lines:
    """A run's lines to `hosts` image hosts, opened as they are needed. Threads share them."""

    def __init__(self, slots: Slots, *, hosts: int, sleep: Callable[[float], None]) -> None:
        self._slots = slots
        self._hosts = hosts
        self._sleep = sleep
        self._lines: dict[int, Line] = {}
        self._free: list[Line] = []
        self._retired: list[Line] = []
        self._changed = threading.Condition()
        self._asking = False
        self._asks_again_at = 0.0
        self._closed = threading.Event()
        self._reviewer: threading.Thread | None = None

    @contextmanager
    def one(self) -> Iterator[Line]:
        """A line for one request; waits for it where all slots are taken. `sleep` may end the wait."""
        while (line := self._take()) is None:
            self._sleep(0)
        try:
            yield line
        finally:
            line.used_at = time.monotonic()
            with self._changed:
                (self._retired if line.retired else self._free).append(line)
                self._changed.notify_all()

    def close(self) -> None:
        """Close all connections, when no thread uses one any more."""
        self._closed.set()
        if self._reviewer is not None:
            self._reviewer.join()
            self._retire(list(self._lines.values()))
            self._give_back()

    def _take(self) -> Line | None:
        with self._changed:
            if self._free:
                return self._free.pop()  # the last used one, so that those which are not needed idle
            if self._asking or time.monotonic() < self._asks_again_at:
                self._changed.wait(POLL_S)
                return None
            self._asking = True
        line = None
        try:
            if (slot := self._slots.take()) is not None:
                line = self._lines[slot] = Line(slot, self._hosts, self._context)
        finally:
            with self._changed:
                self._asking = False
                if line is None:
                    self._asks_again_at = time.monotonic() + POLL_S
                elif self._reviewer is None:
                    self._reviewer = threading.Thread(target=self._review, name="image-connections", daemon=True)
                    self._reviewer.start()
                self._changed.notify_all()
        return line

    @functools.cached_property
    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=where())

    def _review(self) -> None:
        pause = REVIEW_S
        while not self._closed.wait(pause):
            now = time.monotonic()
            with self._changed:
                idle = [line for line in self._free if now - line.used_at > IDLE_S]
            self._retire(idle)
            self._give_back()
            # Those that are in use end with their request.
            pause = _SOON_S if any(line.retired for line in list(self._lines.values())) else REVIEW_S

    def _retire(self, lines: Iterable[Line]) -> None:
        with self._changed:
            for line in lines:
                line.retired = True
                if line in self._free:
                    self._free.remove(line)
                    self._retired.append(line)

    def _give_back(self) -> None:
        """Close the retired lines and give back their slots; where others wait, retire some of the rest."""
        with self._changed:
            ending, self._retired = self._retired, []
        for line in ending:
            line.hang_up()
        if ending:
            time.sleep(_MARGIN_S)
        with self._changed:
            self._changed.wait_for(lambda: not self._asking)
            self._asking = True  # a slot that is being taken is in no list yet: it would be given back
        try:
            for line in ending:
                del self._lines[line.slot]
            review = self._slots.keep(list(self._lines))
        finally:
            with self._changed:
                self._asking = False
                self._changed.notify_all()
        if review is not None:
            self._give_way(*review)

    def _give_way(self, mine: Collection[int], surplus: int) -> None:
        lines = list(self._lines.values())
        # One that is not ours any more was taken over when the lease had expired.
        self._retire(line for line in lines if line.slot not in mine)
        if surplus and not any(line.retired for line in lines):
            self._retire(lines[:surplus])
            self._asks_again_at = time.monotonic() + 2 * POLL_S


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
