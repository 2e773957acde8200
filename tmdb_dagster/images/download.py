"""Downloads images: only from the configured hosts, also after a redirect, and never more than is sane."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import tenacity
import urllib3

from tmdb_dagster.clock import utc_now
from tmdb_dagster.images.addresses import Network, is_local
from tmdb_dagster.images.connections import ConnectionPool
from tmdb_dagster.images.errors import ImageInvalid, ImageMissing, ImageRefused, ImageUnavailable
from tmdb_dagster.images.picture import Picture, read_picture
from tmdb_dagster.outgoing import Http, reason
from tmdb_dagster.retry_after import retry_after_s

MAX_BYTES = 8_000_000
DEADLINE_S = 20.0
"""For one attempt, from the first byte sent to the last received."""

ATTEMPTS = 3
_MAX_REDIRECTS = 3
_CHUNK = 65536
LONGEST_WAIT_S = 10.0
"""Of a thread, for a host; one that asks for more time is left alone by all of them."""

_HEADERS = {"Accept": "image/jpeg,image/png,image/webp", "User-Agent": "tmdb_dagster"}
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
# What YouTube shows in place of a thumbnail that a video does not have, with status 404 or 200.
_PLACEHOLDER = (120, 90)


class Downloader:
    """Fetches images from the hosts of `bases` (URLs). Threads share it.

    All that name the same folder of `locks` share the connections of this machine. Private addresses in `networks`
    are allowed.
    """

    def __init__(
        self,
        bases: Iterable[str],
        locks: Path,
        *,
        networks: Sequence[Network] = (),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._origins = {_origin(base) for base in bases}
        self._connections = ConnectionPool(locks, answer_timeout_s=DEADLINE_S, networks=networks, sleep=sleep)
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_soon),
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
        """Close the connections, when no thread uses it any more."""
        self._connections.close()

    def _attempt(self, url: str) -> Picture:
        with self._connections.connection() as http:
            content = self._get(http, url, time.monotonic() + DEADLINE_S)
        try:
            picture = read_picture(content)
        except ImageInvalid as error:
            raise ImageInvalid(f"{url}: {error}") from error
        if "/vi/" in url and (picture.width, picture.height) == _PLACEHOLDER:
            raise ImageMissing(f"{url}: YouTube shows its placeholder")
        return picture

    def _get(self, http: Http, url: str, deadline: float) -> bytes:
        here = url
        for _ in range(_MAX_REDIRECTS + 1):
            self._check(here)
            if time.monotonic() > deadline:
                raise _late(here)
            try:
                answer = http.request("GET", here, headers=_HEADERS)
                try:
                    if location := answer.get_redirect_location():
                        here = _joined(here, location)
                        continue
                    return _body(answer, here)
                finally:
                    if not answer.closed:
                        answer.close()  # what was not read to its end cannot be used again
                    answer.release_conn()
            except urllib3.exceptions.HTTPError as error:
                if time.monotonic() > deadline:
                    raise _late(here) from error
                raise ImageUnavailable(f"{here}: no complete answer: {reason(error)}") from error
        raise ImageRefused(f"{url}: more than {_MAX_REDIRECTS} redirects")

    def _check(self, url: str) -> None:
        origin = _origin(url)
        if origin not in self._origins:
            raise ImageRefused(f"{url}: images are fetched from {_named(self._origins)} only")
        scheme, host, _ = origin
        if scheme != "https" and not (scheme == "http" and is_local(host)):
            raise ImageRefused(f"{url}: images are fetched by https only, but for a host on this machine or network")


def _late(url: str) -> ImageUnavailable:
    return ImageUnavailable(f"{url}: not complete after {DEADLINE_S:.0f} s")


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise ImageRefused(f"{url}: it redirects to no proper address") from error


def _origin(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise ImageRefused(f"{url}: no proper address") from error
    return parts.scheme, parts.hostname or "", port


def _named(origins: Iterable[tuple[str, str, int]]) -> str:
    return " and ".join(sorted({host for _, host, _ in origins}))


def _body(answer: urllib3.BaseHTTPResponse, url: str) -> bytes:
    if answer.status in _RETRIED:
        error = ImageUnavailable(f"{url}: the host answered {answer.status}")
        error.retry_after_s = retry_after_s(answer.headers, utc_now())
        raise error
    if answer.status != 200:
        raise ImageMissing(f"{url}: the host answered {answer.status}")
    chunks, size = [], 0
    for chunk in answer.stream(_CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BYTES:
            raise ImageInvalid(f"{url}: larger than {MAX_BYTES // 1_000_000} MB")
    return b"".join(chunks)


def _soon(error: BaseException) -> bool:
    return isinstance(error, ImageUnavailable) and (error.retry_after_s or 0.0) <= LONGEST_WAIT_S


def _wait_s(state: tenacity.RetryCallState) -> float:
    """Full jitter, or what the host asks for, if that is longer."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after_s if isinstance(error, ImageUnavailable) else None
    backoff = tenacity.wait_random_exponential(multiplier=0.3, max=LONGEST_WAIT_S)
    return min(LONGEST_WAIT_S, max(backoff(state), asked or 0.0))
