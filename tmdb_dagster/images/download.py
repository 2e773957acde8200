"""Downloads images: only from the configured hosts, never from a private network, and never more than is sane.

The address is checked on the connection itself, after DNS and before a byte is sent, so that a name which resolves to
a private address the second time gets nowhere either.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urljoin, urlsplit

import tenacity
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from tmdb_dagster.clock import utc_now
from tmdb_dagster.images.errors import ImageInvalid, ImageMissing, ImageRefused, ImageUnavailable
from tmdb_dagster.images.picture import Picture, read_picture
from tmdb_dagster.tmdb.retry_after import retry_after_s

MAX_BYTES = 8_000_000
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 10.0
DEADLINE_S = 20.0
"""For one attempt, from the first byte sent to the last received."""

ATTEMPTS = 3
_MAX_REDIRECTS = 3
_CHUNK = 65536
_LONGEST_WAIT_S = 10.0
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
# What YouTube shows in place of a thumbnail that a video does not have, with status 404 or 200.
_PLACEHOLDER = (120, 90)


class Downloader:
    """Fetches images from the hosts of `bases` (URLs); threads share its connections."""

    def __init__(self, bases: Iterable[str], *, connections: int, sleep: Callable[[float], None] = time.sleep) -> None:
        self._origins = {_origin(base) for base in bases}
        self._pool = urllib3.PoolManager(
            num_pools=max(1, len(self._origins)),
            maxsize=connections,
            block=True,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
            headers={"Accept": "image/jpeg,image/png,image/webp", "User-Agent": "tmdb_dagster"},
        )
        self._pool.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(ImageUnavailable),
            wait=_wait_s,
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            sleep=sleep,
            reraise=True,
        )

    def fetch(self, urls: Sequence[str]) -> Picture:
        """The picture at the first of `urls` that has one. Raises ImageError; its text names the URL."""
        missing = ImageMissing("No address of an image is known")
        for url in urls:
            try:
                return self._retrying(self._attempt, url)
            except ImageMissing as error:
                missing = error
        raise missing

    def close(self) -> None:
        """Close the pooled connections."""
        self._pool.clear()

    def _attempt(self, url: str) -> Picture:
        deadline = time.monotonic() + DEADLINE_S
        content, thumbnail = self._get(url, deadline), "/vi/" in url
        try:
            picture = read_picture(content)
        except ImageInvalid as error:
            raise ImageInvalid(f"{url}: {error}") from error
        if thumbnail and (picture.width, picture.height) == _PLACEHOLDER:
            raise ImageMissing(f"{url}: YouTube shows its placeholder")
        return picture

    def _get(self, url: str, deadline: float) -> bytes:
        here = url
        for _ in range(_MAX_REDIRECTS + 1):
            self._check(here)
            try:
                answer = self._pool.request("GET", here, preload_content=False, redirect=False)
                try:
                    if location := answer.get_redirect_location():
                        here = urljoin(here, location)
                        continue
                    return _body(answer, here, deadline)
                finally:
                    if not answer.closed:
                        answer.close()  # what was not read to its end cannot be used again
                    answer.release_conn()
            except urllib3.exceptions.HTTPError as error:
                reason = str(error.__cause__ or error) or type(error).__name__
                raise ImageUnavailable(f"{here}: no complete answer: {reason}") from error
        raise ImageRefused(f"{url}: more than {_MAX_REDIRECTS} redirects")

    def _check(self, url: str) -> None:
        origin = _origin(url)
        if origin not in self._origins:
            raise ImageRefused(f"{url}: images are fetched from {_named(self._origins)} only")
        scheme, host, _ = origin
        if scheme != "https" and not (scheme == "http" and is_local(host)):
            raise ImageRefused(f"{url}: images are fetched by https only, but for a host on this machine or network")


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


def _origin(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise ImageRefused(f"{url}: no proper address") from error
    return parts.scheme, parts.hostname or "", port


def _named(origins: Iterable[tuple[str, str, int]]) -> str:
    return " and ".join(sorted({host for _, host, _ in origins}))


def _body(answer: urllib3.BaseHTTPResponse, url: str, deadline: float) -> bytes:
    if answer.status in _RETRIED:
        error = ImageUnavailable(f"{url}: the host answered {answer.status}")
        error.retry_after_s = retry_after_s(answer.headers, utc_now())
        raise error
    if answer.status != 200:
        raise ImageMissing(f"{url}: the host answered {answer.status}")
    chunks, size = [], 0
    # read1 returns what has come, so that a host which drips cannot outlast the deadline.
    while chunk := answer.read1(_CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BYTES:
            raise ImageInvalid(f"{url}: larger than {MAX_BYTES // 1_000_000} MB")
        if time.monotonic() > deadline:
            raise ImageUnavailable(f"{url}: not complete after {DEADLINE_S:.0f} s")
    return b"".join(chunks)


def _wait_s(state: tenacity.RetryCallState) -> float:
    """Full jitter, or what the host asks for."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after_s if isinstance(error, ImageUnavailable) else None
    backoff = tenacity.wait_random_exponential(multiplier=0.3, max=_LONGEST_WAIT_S)
    return min(_LONGEST_WAIT_S, asked if asked is not None else backoff(state))
