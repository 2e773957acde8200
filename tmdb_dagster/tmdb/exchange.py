"""What one HTTP exchange needs and requests does not offer: a hidden API key, a deadline, a cap on a body.

The API key joins the query only when the request line is written to the socket. requests and urllib3 never
see it, so it is in no URL, exception text or debug log of theirs.
"""

from __future__ import annotations

import http.client
import zlib
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager

from tmdb_dagster.outgoing import DeadlineResponse, mix_in, proxy_for, response_class, tls_context

MAX_BODY_BYTES = 10_000_000
"""The largest body accepted, compressed or decoded; the fullest movie is about 0.3 MB."""

_GZIP_MAGIC = b"\x1f\x8b"


class BodyTooLarge(Exception):
    """The body is larger than MAX_BODY_BYTES, or decodes to more."""


def read_body(response: requests.Response) -> bytes:
    """The whole body of a response that was asked for with `stream=True`, free of gzip and deflate.

    Its first bytes say whether it is compressed, not Content-Encoding: TMDB has sent gzip bytes without that
    header, and JSON cannot begin with them.

    Raises BodyTooLarge, zlib.error for damaged gzip, and urllib3's errors for a connection that broke.
    """
    body = bytearray()
    for chunk in response.raw.stream(65_536, decode_content=False):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
    if response.headers.get("Content-Encoding", "").strip().lower() == "deflate" and not _is_zlib(body):
        with suppress(zlib.error):  # plain, then, whatever its header says
            return _inflated(bytes(body), -zlib.MAX_WBITS)  # RFC 1951, which some take deflate to mean
    return _decoded(bytes(body))


def _decoded(body: bytes) -> bytes:
    for _ in range(2):  # twice: what a cache compressed may have been compressed before, unlabelled
        if body.startswith(_GZIP_MAGIC):
            body = _inflated(body, zlib.MAX_WBITS | 16)
        elif _is_zlib(body):
            body = _inflated(body, zlib.MAX_WBITS)
    return body


def _is_zlib(body: bytes | bytearray) -> bool:
    """RFC 1950, which is what HTTP means by deflate; JSON cannot begin with x, either."""
    return body.startswith(b"x") and int.from_bytes(body[:2]) % 31 == 0


def _inflated(body: bytes, wbits: int) -> bytes:
    stream = zlib.decompressobj(wbits)
    body = stream.decompress(body, MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLarge
    if not stream.eof:
        raise zlib.error("the compressed stream ends early")
    return body


class DeadlineAdapter(HTTPAdapter):
    """requests' adapter for `url`, with `connections` pooled connections, whose users queue for a free one.

    An answer must be complete `answer_timeout_s` seconds after its request was sent, else it times out,
    however steadily its bytes drip in: requests' own time-out only limits the silence between two of them.
    `query_secret` (name, value) joins every query on its way out; `proxies` are for the url, as requests has them.
    Raises CertificatesUnreadable.
    """

    def __init__(
        self, url: str, connections: int, answer_timeout_s: float, query_secret: tuple[str, str] | None = None
    ) -> None:
        suffix = "" if query_secret is None else f"{query_secret[0]}={quote(query_secret[1], safe='')}"
        response = response_class(answer_timeout_s, _Response)
        self._connection_attributes = {"response_class": response, "query_suffix": suffix}
        proxy = proxy_for(url)
        self.proxies = {} if proxy is None else {"all": proxy}
        self._context = None if urlsplit(url).scheme == "http" and proxy is None else tls_context()
        super().__init__(pool_connections=1, pool_maxsize=connections, max_retries=0, pool_block=True)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self._use_own_connections(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **proxy_kwargs)
        if not known:
            self._use_own_connections(manager)
        return manager

    def cert_verify(self, conn: Any, url: str, verify: bool | str, cert: Any) -> None:
        """The context says whom we trust; requests would add its own for each connection."""

    def _use_own_connections(self, manager: PoolManager) -> None:
        mix_in(manager, _Connection, **self._connection_attributes)


class _Connection(http.client.HTTPConnection):
    """Mixed into urllib3's connection classes."""

    query_suffix: str

    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False) -> None:
        if self.query_suffix:
            url = f"{url}{'&' if '?' in url else '?'}{self.query_suffix}"
        super().putrequest(method, url, skip_host, skip_accept_encoding)


class _Response(DeadlineResponse):
    def begin(self) -> None:
        super().begin()
        # urllib3 would log what of the headers cannot be parsed, and a server may echo the credential there.
        self.msg.defects = []
        self.msg.set_payload("")
