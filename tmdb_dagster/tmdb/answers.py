"""From an HTTP answer to its JSON, or to the error that it means: no I/O."""

from __future__ import annotations

import json
import re
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
    NotTmdb,
    RateLimited,
    TmdbError,
    TmdbUnavailable,
)

WHERE_TO_GET_CREDENTIALS = "https://www.themoviedb.org/settings/api"

_CODINGS = ("", "identity", "gzip", "x-gzip", "deflate")
_CONTROLS = dict.fromkeys(set(range(32)) - set(b"\t\r\n"))
_TAGS = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_HOST = re.compile("https?://([^/?#]*@)?(?P<host>[^/?#@]+)", re.IGNORECASE)
_LOOKED_AT = 2000
_LONGEST_QUOTE = 500


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
                reason = str(exc)
            try:
                return _mended(self.body)
            except (ValueError, RecursionError):
                raise self._not_json(reason) from None
        if self.status in (408, 429) or self.status >= 500:
            raise self._transient()
        raise self._permanent()

    def _not_json(self, reason: str) -> TmdbError:
        content_type = quoted(self.headers.get("Content-Type", "no content type"))
        said = f"{self.endpoint}: TMDB's answer ({self.status}, {content_type}) is not JSON"
        coding = self.headers.get("Content-Encoding", "").strip().lower()
        if coding not in _CODINGS:
            return NotTmdb(
                f"{said}, but coded as '{quoted(coding)}', which nobody asked for. Check TMDB_API_URL and any proxy.",
                endpoint=self.endpoint,
                http_status=self.status,
            )
        whole = self.body.strip()
        if whole[:1] in (b"{", b"[") and whole[-1:] in (b"}", b"]"):
            return InvalidResponse(
                f"{said}: {reason}. It came whole, so that another attempt would bring the same.",
                endpoint=self.endpoint,
                http_status=self.status,
            )
        return TmdbUnavailable(
            f"{said} (attempt {self.attempt}): {reason}."
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
        kind: type[TmdbError] = BadRequest
        said, advice = self._said(), "The request itself is at fault, so trying again does not help."
        if self._explanation() is None:
            # Of another server: a 404, taken for TMDB's, would declare every movie gone, a 403 the key invalid.
            kind = NotTmdb
            said = f"{self.endpoint}: {self._stranger()} answered {self.status}."
            advice = "TMDB does not answer like that: check TMDB_API_URL, and any proxy or firewall on the way."
        elif self.status in (401, 403):
            kind = AuthenticationFailed
            advice = (
                f"Set TMDB_READ_ACCESS_TOKEN or TMDB_API_KEY to valid credentials; {WHERE_TO_GET_CREDENTIALS} has them."
            )
        elif self.status == 404:
            kind, advice = NotFound, "It was never there, was deleted, or was merged into another."
        return kind(f"{said} {advice}", endpoint=self.endpoint, http_status=self.status)

    def _stranger(self) -> str:
        """Who answered in TMDB's place, by what it says of itself."""
        name = quoted(self.headers.get("Server", "")) or "another server"
        there = _HOST.match(self.headers.get("Location", ""))
        words = quoted(_TAGS.sub(" ", self.body[:_LOOKED_AT].decode(errors="replace")), most=200)
        marks = [
            quoted(self.headers.get("Content-Type", "")),
            quoted(f"to {there['host']}") if there else "",
            f"'{words}'" if words else "",
        ]
        return f"not TMDB but {name} ({'; '.join(filter(None, marks)) or 'without a word'})"

    def _said(self, attempt: str = "") -> str:
        explanation = self._explanation()
        reason = "" if explanation is None else f": {explanation}"
        return f"{self.endpoint}: TMDB answered {self.status}{attempt}{reason}."

    def _explanation(self) -> str | None:
        """What TMDB's error body says: `status_message` with its `status_code`, or for a 4xx of its own `errors`.

        None for the body of anybody else: other servers' codes are HTTP's, TMDB's are below 100.
        """
        try:
            body = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None
        match body:
            case {"status_code": int(code), **others} if 0 < code < 100:
                return f"{quoted(str(others.get('status_message') or 'no reason given')).rstrip('.')} (code {code})"
            case {"errors": [*errors]} if self.status in (400, 422):
                return quoted("; ".join(str(error)[:_LONGEST_QUOTE] for error in errors[:10]))
        return None


def quoted(text: str, *, most: int = _LONGEST_QUOTE) -> str:
    """What a server says, as one line that can be shown: without control characters, and not at length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[:_LOOKED_AT]).split())
    return line if len(line) <= most else f"{line[:most]}..."


def _mended(body: bytes) -> Any:
    """The JSON of a body that is JSON but for some characters, without these.

    Half an emoji, a byte of another encoding, a control character, a byte order mark: each costs itself.
    Raises ValueError or RecursionError for what is no JSON even so.
    """
    text = body.decode(json.detect_encoding(body), "ignore").translate(_CONTROLS).strip("\ufeff \t\r\n")
    document = json.loads(text, strict=False, parse_constant=_refuse)
    return orjson.loads(json.dumps(document, ensure_ascii=False).encode(errors="ignore"))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def results_count(document: Any) -> int | None:
    """How many results a document holds: the length of `results` for a list, 1 for any other object."""
    if not isinstance(document, dict):
        return None
    results = document.get("results")
    return len(results) if isinstance(results, list) else 1
