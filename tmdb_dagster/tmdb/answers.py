"""From an HTTP answer to its JSON, or to the error that it means: no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from tmdb_dagster.retry_after import retry_after_s
from tmdb_dagster.tmdb.errors import (
    AuthenticationFailed,
    BadRequest,
    InvalidResponse,
    NotFound,
    RateLimited,
    TmdbError,
    TmdbUnavailable,
)

WHERE_TO_GET_CREDENTIALS = "https://www.themoviedb.org/settings/api"


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, to the `attempt`-th attempt (from 1) at a call; `body` is free of gzip."""

    endpoint: str
    attempt: int
    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime

    def document(self) -> Any:
        """The JSON of a success.

        Raises the TmdbError that any other answer means: TmdbUnavailable if another attempt may do better.
        """
        if 200 <= self.status < 300:
            try:
                return orjson.loads(self.body)
            except orjson.JSONDecodeError as exc:
                raise self._not_json(exc) from exc
        if self.status in (408, 429) or self.status >= 500:
            raise self._transient()
        raise self._permanent()

    def _not_json(self, exc: orjson.JSONDecodeError) -> TmdbUnavailable:
        content_type = self.headers.get("Content-Type", "no content type")
        return TmdbUnavailable(
            f"{self.endpoint}: TMDB's answer ({self.status}, {content_type}) is not JSON"
            f" (attempt {self.attempt}): {exc}."
            " Try again later; if it stays so, check TMDB_API_URL and any proxy.",
            endpoint=self.endpoint,
            http_status=self.status,
            attempts=self.attempt,
            retry_after_s=retry_after_s(self.headers, self.received_at),
        )

    def _transient(self) -> TmdbUnavailable:
        kind, advice = TmdbUnavailable, "Nothing is wrong with the request; try again later."
        if self.status == 429:
            kind = RateLimited
            advice = "These were too many calls: lower TMDB_RATE_LIMIT, or see who else calls from here."
        return kind(
            f"{self._said(f' (attempt {self.attempt})')} {advice}",
            endpoint=self.endpoint,
            http_status=self.status,
            attempts=self.attempt,
            retry_after_s=retry_after_s(self.headers, self.received_at),
        )

    def _permanent(self) -> TmdbError:
        kind: type[TmdbError]
        if self.status in (401, 403):
            kind = AuthenticationFailed
            advice = (
                f"Set TMDB_READ_ACCESS_TOKEN or TMDB_API_KEY to valid credentials; {WHERE_TO_GET_CREDENTIALS} has them."
            )
        elif self.status == 404 and self._explanation() is not None:
            kind, advice = NotFound, "It was never there, was deleted, or was merged into another."
        elif 400 <= self.status < 500 and self.status != 404:
            kind, advice = BadRequest, "The request itself is at fault, so trying again does not help."
        else:
            # A redirect, or a 404 of another server: taken for TMDB's, that would declare every movie gone.
            kind = InvalidResponse
            advice = "TMDB does not answer like that: check TMDB_API_URL and any proxy."
        return kind(f"{self._said()} {advice}", endpoint=self.endpoint, http_status=self.status)

    def _said(self, attempt: str = "") -> str:
        explanation = self._explanation()
        reason = "" if explanation is None else f": {explanation}"
        return f"{self.endpoint}: TMDB answered {self.status}{attempt}{reason}."

    def _explanation(self) -> str | None:
        """What TMDB's error body says, by `status_message` and `status_code`, or by `errors`; else None."""
        try:
            body = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(body, dict):
            return None
        if isinstance(body.get("errors"), list):
            return "; ".join(str(error) for error in body["errors"])
        if "status_code" not in body:
            return None
        message = str(body.get("status_message", "no reason given")).rstrip(".")
        return f"{message} (code {body['status_code']})"


def results_count(document: Any) -> int | None:
    """How many results a document holds: the length of `results` for a list, 1 for any other object."""
    if not isinstance(document, dict):
        return None
    results = document.get("results")
    return len(results) if isinstance(results, list) else 1
