"""Questions to TMDB over HTTP: pooled, paced, retried, reported, and silent about the API key.

What each failure becomes is drawn at the top of errors.py.
"""

from __future__ import annotations

import itertools
import re
import time
import traceback
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from typing import Any, Protocol
from urllib.parse import urlencode

import requests
import tenacity
import urllib3

from tmdb_dagster.clock import utc_now
from tmdb_dagster.redaction import redact as redact_secrets
from tmdb_dagster.tmdb.answers import WHERE_TO_GET_CREDENTIALS, Answer, quoted, results_count
from tmdb_dagster.tmdb.errors import (
    AuthenticationFailed,
    InvalidResponse,
    RateLimited,
    TmdbError,
    TmdbUnavailable,
)
from tmdb_dagster.tmdb.exchange import MAX_BODY_BYTES, BodyTooLarge, DeadlineAdapter, read_body

_V3_KEY = re.compile("[0-9a-f]{32}")
_V4_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")

_LONGEST_TRACE = 20_000  # an exception that quotes a server at length would fill the log and Dagster's events


@dataclass(frozen=True)
class ApiCall:
    """One HTTP exchange, as `tmdb_api_logs` keeps it; a retry is an exchange of its own.

    `http_status` is 0 where no answer came. `response_size_bytes` counts the decoded body. `response_time_ms`
    runs from sending to the decoded answer, without the wait for the rate limiter. `results_count` is the
    length of `results` for a list, 1 for a single object, None for a failure. `error_message` is one line of
    at most 500 characters, None for a success.
    """

    endpoint: str
    method: str
    http_status: int
    query_params: dict[str, Any]
    response_size_bytes: int | None
    response_time_ms: int
    results_count: int | None
    tmdb_id: int | None
    error_message: str | None
    retry_count: int
    created_at: datetime
    metadata: dict[str, Any] = field(default_factory=dict)


class RateLimiter(Protocol):
    """Paces the calls of everyone who shares it; must be thread-safe."""

    def acquire(self) -> None:
        """Block until one call may be sent."""

    def answered(self) -> None:
        """The answer to this thread's call has begun, or there will be none."""

    def back_off(self, seconds: float) -> None:
        """TMDB answered 429: nobody sends for `seconds`."""

    def close(self) -> None:
        """No call follows."""


class Unlimited:
    """A rate limiter that never waits."""

    def acquire(self) -> None:
        pass

    def answered(self) -> None:
        pass

    def back_off(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long to try again.

    `max_attempts` includes the first. The wait before retry n is random between 0 and `base_s` * 2^(n - 1),
    at most `max_wait_s` (full jitter), or what TMDB asks for, if that is longer. No retry starts after
    `max_total_s`.
    """

    max_attempts: int = 6
    max_total_s: float = 120.0
    base_s: float = 0.5
    max_wait_s: float = 30.0


class Transport:
    """Thread-safe GETs against one TMDB-compatible API.

    `read_access_token` is preferred to `api_key`; with neither, calls carry no credentials. `on_call` hears
    of every exchange, on the calling thread. `answer_timeout_s` limits one exchange as a whole,
    `read_timeout_s` the silence within it. `redact` takes secrets out of what a server may quote: by default the
    credentials.

    Raises AuthenticationFailed for credentials that no HTTP header can carry.
    """

    def __init__(  # noqa: PLR0913 - each is a keyword with a name of its own
        self,
        api_url: str,
        *,
        api_key: str | None = None,
        read_access_token: str | None = None,
        limiter: RateLimiter,
        on_call: Callable[[ApiCall], None],
        connections: int = 8,
        connect_timeout_s: float = 5,
        read_timeout_s: float = 20,
        answer_timeout_s: float = 60,
        retry: RetryPolicy = RetryPolicy(),
        sleep: Callable[[float], None] = time.sleep,
        redact: Callable[[str], str] | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._api_url = api_url.rstrip("/")
        self._token = _checked("TMDB_READ_ACCESS_TOKEN", read_access_token)
        key = _checked("TMDB_API_KEY", api_key)
        self._key = key
        self._redact = redact or partial(redact_secrets, secrets={s for s in (self._token, key) if s})
        self._limiter = limiter
        self._on_call = on_call
        self._now = now
        self._timeout = (connect_timeout_s, read_timeout_s)
        self._backoff = tenacity.wait_random_exponential(multiplier=retry.base_s, max=retry.max_wait_s)
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TmdbUnavailable),
            wait=self._wait_s,
            stop=tenacity.stop_after_attempt(retry.max_attempts) | tenacity.stop_before_delay(retry.max_total_s),
            sleep=sleep,
            reraise=True,
        )
        self._session = requests.Session()  # prepares requests; the adapter sends them
        self._session.headers.update(
            {"User-Agent": "tmdb-dagster", "Accept": "application/json", "Accept-Encoding": "gzip"}
        )
        # An auth object, for without one requests lets a ~/.netrc entry replace our header.
        self._session.auth = self._authorize
        hidden = ("api_key", key) if key and not self._token else None
        self._adapter = DeadlineAdapter(self._api_url, connections, answer_timeout_s, hidden)

    def get(self, path: str, params: Mapping[str, str | int] | None = None, *, tmdb_id: int | None = None) -> Any:
        """The decoded JSON of `path` (`/movie/603`); `tmdb_id` is noted in the ApiCall.

        Raises TmdbUnavailable (RateLimited) once the retries are used up, and at once AuthenticationFailed,
        NotFound, BadRequest or InvalidResponse.
        """
        query = dict(params or {})
        retries = itertools.count()
        return self._retrying(lambda: self._attempt(path, query, tmdb_id, next(retries)))

    def close(self) -> None:
        """Close the pooled connections and the limiter."""
        self._adapter.close()
        self._limiter.close()

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _attempt(self, path: str, query: dict[str, str | int], tmdb_id: int | None, retry_count: int) -> Any:
        self._limiter.acquire()
        created_at = self._now()
        start = time.perf_counter()
        status, size, document = 0, None, None
        error: TmdbError | None = None
        try:
            with self._send(path, query) as response:
                status = response.status_code
                body = read_body(response)
            size = len(body)
            answer = Answer(path, retry_count + 1, status, response.headers, body, self._now())
            document = answer.document()
        except TmdbError as exc:
            error = exc
        except BodyTooLarge:
            error = _too_large(path, status)
        except (requests.RequestException, urllib3.exceptions.HTTPError, zlib.error) as exc:
            error = self._no_answer(path, status, exc, retry_count + 1)
        if error is not None:
            # The text may quote the server, which knows the key.
            error.args = (self._redact(f"{error}{self._hint(error)}"),)
        self._on_call(
            ApiCall(
                endpoint=path,
                method="GET",
                http_status=status,
                query_params=query,
                response_size_bytes=size,
                response_time_ms=round((time.perf_counter() - start) * 1000),
                results_count=None if error else results_count(document),
                tmdb_id=tmdb_id,
                error_message=" ".join(str(error).split())[:500] if error else None,
                retry_count=retry_count,
                metadata=_appended(query),
                created_at=created_at,
            )
        )
        if error is not None:
            raise error
        return document

    def _send(self, path: str, query: dict[str, str | int]) -> requests.Response:
        request = self._prepared.copy()
        request.url = self._api_url + path + (f"?{urlencode(query)}" if query else "")
        try:
            # Not by Session.send: even told to follow no redirect, it reads a redirect's body, however large.
            return self._adapter.send(request, stream=True, timeout=self._timeout, proxies=self._adapter.proxies)
        finally:
            self._limiter.answered()  # with its head; how long the body takes does not matter to who counts calls

    @cached_property
    def _prepared(self) -> requests.PreparedRequest:
        """What all requests have in common: preparing each from the start would take as long as sending it."""
        return self._session.prepare_request(requests.Request("GET", self._api_url))

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _no_answer(self, path: str, status: int, exc: Exception, attempts: int) -> TmdbUnavailable:
        root: BaseException = exc
        while inner := root.__cause__ or next((a for a in root.args if isinstance(a, BaseException)), None):
            root = inner
        reason = quoted(str(root)) or type(root).__name__
        text = f"{path}: no complete answer from TMDB (attempt {attempts}): {reason}."
        error = TmdbUnavailable(
            f"{text} Check the network and TMDB_API_URL, or try again later.",
            endpoint=path,
            http_status=status,
            attempts=attempts,
        )
        trace = "".join(traceback.format_exception(exc))
        if (
            self._redact(trace) == trace and len(trace) <= _LONGEST_TRACE
        ):  # else a broken answer quotes the key, or itself
            error.__cause__ = exc
        return error

    def _hint(self, error: TmdbError) -> str:
        if not isinstance(error, AuthenticationFailed):
            return ""
        if self._token and _V3_KEY.fullmatch(self._token):
            return " TMDB_READ_ACCESS_TOKEN holds a v3 API key: move it to TMDB_API_KEY."
        if self._key and not self._token and _V4_TOKEN.fullmatch(self._key):
            return " TMDB_API_KEY holds a v4 read access token: move it to TMDB_READ_ACCESS_TOKEN."
        return ""

    def _wait_s(self, state: tenacity.RetryCallState) -> float:
        """Seconds until the next attempt; after a 429 everyone waits as long."""
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_s if isinstance(error, TmdbUnavailable) else None
        wait = max(self._backoff(state), asked or 0.0)
        if isinstance(error, RateLimited):
            self._limiter.back_off(wait)
        return wait


def _too_large(path: str, status: int) -> InvalidResponse:
    return InvalidResponse(
        f"{path}: the answer is larger than {MAX_BODY_BYTES // 1_000_000} MB, which TMDB's never are."
        " Check TMDB_API_URL.",
        endpoint=path,
        http_status=status,
    )


def _appended(query: Mapping[str, str | int]) -> dict[str, Any]:
    parts = query.get("append_to_response")
    return {} if parts is None else {"append_to_response": str(parts).split(",")}


def _checked(variable: str, credential: str | None) -> str | None:
    """The credential without surrounding white space, None for an empty one."""
    credential = (credential or "").strip()
    if not (credential.isascii() and credential.isprintable()) or " " in credential:
        raise AuthenticationFailed(
            f"{variable} holds spaces or characters that no TMDB credential has. Copy it again from"
            f" {WHERE_TO_GET_CREDENTIALS}."
        )
    return credential or None
