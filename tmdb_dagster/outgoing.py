"""The one rule for connections that leave this machine: by which proxy, with whose certificates, and for how long.

Proxies are those of the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY), but this machine is never reached
by one. Trusted are the system's certificates, or those that SSL_CERT_FILE and SSL_CERT_DIR name, certifi's, and those
that REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names. An answer must be complete a fixed time after its request was sent,
however steadily its bytes drip in: the time-outs of libraries limit the silence between two of them.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import os
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import certifi
import requests
import urllib3
from requests.utils import get_auth_from_url, get_environ_proxies, select_proxy

from tmdb_dagster.errors import TmdbDagsterError


class CertificatesUnreadable(TmdbDagsterError):
    """A file of certificates that is named to us has none."""


def proxy_for(url: str) -> str | None:
    """The proxy by which `url` is asked, if any."""
    if is_loopback(urlsplit(url).hostname or ""):
        return None
    return select_proxy(url, get_environ_proxies(url))


def is_loopback(host: str) -> bool:
    """Whether the host is this machine."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def tls_context(*bundles: str | None) -> ssl.SSLContext:
    """Trusts whom the rule says, and the certificates of `bundles`: paths of files or folders.

    Raises CertificatesUnreadable.
    """
    environment = requests.Session().merge_environment_settings("", {}, None, None, None)["verify"]
    named = [certifi.where(), environment, *bundles]
    system = tuple(os.environ.get(variable) for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    return _trusting(tuple(path for path in named if isinstance(path, str)), system)


@lru_cache(maxsize=8)
def _trusting(bundles: tuple[str, ...], _system: tuple[str | None, ...]) -> ssl.SSLContext:
    """Made once in a process: to read hundreds of certificates takes as long as a dozen movies."""
    context = ssl.create_default_context()
    for bundle in bundles:
        try:
            if Path(bundle).is_dir():
                context.load_verify_locations(capath=bundle)
            else:
                context.load_verify_locations(cafile=bundle)
        except OSError as error:  # an SSLError is one
            raise CertificatesUnreadable(
                f"No certificates can be read from {bundle} ({error.strerror or error}): correct REQUESTS_CA_BUNDLE, "
                "CURL_CA_BUNDLE or AWS_CA_BUNDLE, whichever names it."
            ) from error
    return context


class Http:
    """Asks by the rule. Threads share it, and its `connections` to each host, whose users queue for a free one.

    `direct` (with `attributes`) is mixed into the connections that go by no proxy.
    """

    def __init__(  # noqa: PLR0913 - what a client has, by keyword
        self,
        *,
        connections: int,
        context: ssl.SSLContext,
        connect_timeout_s: float,
        read_timeout_s: float,
        answer_timeout_s: float,
        direct: type | None = None,
        **attributes: Any,
    ) -> None:
        self._pool: dict[str, Any] = {
            "maxsize": connections,
            "block": True,
            "retries": False,
            "timeout": urllib3.Timeout(connect=connect_timeout_s, read=read_timeout_s),
            "ssl_context": context,
        }
        self._response = response_class(answer_timeout_s)
        self._direct = direct
        self._attributes = attributes
        self._lock = threading.Lock()
        self._proxies: dict[tuple[str, str], str | None] = {}
        self._managers: dict[str | None, urllib3.PoolManager] = {}

    def request(
        self, method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        """The head of the answer, whose body is still to be read. No redirect is followed, nothing is tried again.

        Raises urllib3.exceptions.HTTPError.
        """
        manager = self._manager(url)
        return manager.request(method, url, body=body, headers=headers, preload_content=False, redirect=False)

    def close(self) -> None:
        """Close the connections."""
        for manager in self._managers.values():
            for key in manager.pools.keys():  # noqa: SIM118 - it is no mapping to iterate over
                manager.pools[key].close()
            manager.clear()

    def _manager(self, url: str) -> urllib3.PoolManager:
        origin = urlsplit(url)[:2]
        with self._lock:
            if origin not in self._proxies:  # to search the environment takes as long as to decode a picture
                self._proxies[origin] = proxy_for(url)
            proxy = self._proxies[origin]
            if proxy not in self._managers:
                self._managers[proxy] = self._made(proxy)
            return self._managers[proxy]

    def _made(self, proxy: str | None) -> urllib3.PoolManager:
        if proxy is None:
            manager = urllib3.PoolManager(**self._pool)
            mix_in(manager, self._direct or object, response_class=self._response, **self._attributes)
            return manager
        if "://" not in proxy:
            proxy = f"http://{proxy}"
        user, password = get_auth_from_url(proxy)
        headers = urllib3.make_headers(proxy_basic_auth=f"{user}:{password}") if user else None
        manager = urllib3.ProxyManager(
            proxy, proxy_headers=headers, proxy_ssl_context=self._pool["ssl_context"], **self._pool
        )
        mix_in(manager, object, response_class=self._response)
        return manager


def reason(error: urllib3.exceptions.HTTPError) -> str:
    """Why there was no answer, in few words."""
    text = str(error.__cause__ or error) or type(error).__name__
    return f"by way of the proxy: {text}" if isinstance(error, urllib3.exceptions.ProxyError) else text


def mix_in(manager: urllib3.PoolManager, mixin: type, **attributes: Any) -> None:
    """Make the connections of a manager ones that are `mixin`, too, and have these attributes of their class."""
    pools: dict[str, Any] = manager.pool_classes_by_scheme
    own = {}
    for scheme, pool in pools.items():
        bases = (pool.ConnectionCls,) if mixin is object else (mixin, pool.ConnectionCls)
        connection = type(pool.ConnectionCls.__name__, bases, attributes)  # errors tell the name
        own[scheme] = type(pool.__name__, (pool,), {"ConnectionCls": connection})
    manager.pool_classes_by_scheme = own


class DeadlineResponse(http.client.HTTPResponse):
    """An answer that times out `answer_timeout_s` seconds after its request was sent, unless it is complete."""

    answer_timeout_s: float

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_DeadlineReader(raw, sock, self.answer_timeout_s))


def response_class(answer_timeout_s: float, base: type[DeadlineResponse] = DeadlineResponse) -> type[DeadlineResponse]:
    """The class of the answers that have so long; for `response_class` of a connection."""
    return type("_Response", (base,), {"answer_timeout_s": answer_timeout_s})


class _DeadlineReader(io.RawIOBase):
    """A socket's bytes, until `timeout_s` seconds after its creation."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, timeout_s: float) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = time.monotonic() + timeout_s
        self._silence_s = sock.gettimeout() or timeout_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if 0 < left < self._silence_s:
            self._sock.settimeout(left)
        try:
            if left > 0:
                return self._raw.readinto(buffer)
        except TimeoutError:
            if time.monotonic() < self._deadline:
                raise
        raise TimeoutError("the answer was not complete in time")

    def close(self) -> None:
        self._raw.close()
        super().close()
