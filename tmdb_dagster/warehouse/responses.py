"""TMDB's answers as they are kept: JSON with sorted keys, gzipped, and known by its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from isal import isal_zlib
from sqlalchemy import Connection, text

# Of ISA-L, whose four levels are its own: a fifth of the time of zlib's level 3, for 3 % more bytes (bodies of 124 kB).
_LEVEL = 2
_GZIP = isal_zlib.MAX_WBITS | 16


@dataclass(frozen=True)
class StoredResponse:
    """A movie's answer in its stored form."""

    body: bytes
    body_bytes: int
    content_hash: str


@dataclass(frozen=True)
class KeptResponse:
    """A movie's last answer, read back."""

    work_id: int
    tmdb_id: int
    body: dict[str, Any]
    fetched_at: datetime


def canonical(body: Mapping[str, Any]) -> tuple[bytes, str]:
    """The body's bytes with sorted keys, and their SHA-256: the same content, the same hash."""
    content = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return content, hashlib.sha256(content).hexdigest()


def stored_response(content: bytes, content_hash: str) -> StoredResponse:
    """The stored form of what `canonical` returned."""
    return StoredResponse(isal_zlib.compress(content, _LEVEL, _GZIP), len(content), content_hash)


def read_response(connection: Connection, work_id: int) -> dict[str, Any] | None:
    """The stored answer for a work, or None."""
    body = connection.scalar(text("SELECT body FROM movie_responses WHERE work_id = :work_id"), {"work_id": work_id})
    return None if body is None else _document(body)


def works_with_response(
    connection: Connection, *, after_work_id: int, limit: int, tmdb_ids: Sequence[int] | None = None
) -> list[int]:
    """The next works that have a stored answer, by work_id; with `tmdb_ids` those of these alone."""
    wanted = None if tmdb_ids is None else [str(tmdb_id) for tmdb_id in tmdb_ids]
    rows = connection.scalars(
        text("""
            SELECT work_id FROM movie_responses
            WHERE work_id > :after AND (
                CAST(:tmdb_ids AS text[]) IS NULL
                OR work_id IN (SELECT work_id FROM works WHERE tmdb_id = ANY(:tmdb_ids))
            )
            ORDER BY work_id LIMIT :limit
        """),
        {"after": after_work_id, "limit": limit, "tmdb_ids": wanted},
    )
    return list(rows)


def lock_responses(connection: Connection, work_ids: Sequence[int]) -> Iterator[KeptResponse]:
    """The stored answers of works, in the order of work_id, locked with the works until the transaction ends.

    The lock keeps a run that has just fetched a newer answer from being overwritten with an older one. Without one on
    the answer itself, who has waited for the work would read the answer from before the wait.
    """
    rows = connection.execute(
        text("""
            SELECT w.work_id, w.tmdb_id, r.body, r.fetched_at
            FROM works w JOIN movie_responses r USING (work_id)
            WHERE w.work_id = ANY(:work_ids)
            ORDER BY w.work_id
            FOR UPDATE
        """),
        {"work_ids": list(work_ids)},
    ).all()
    for row in rows:
        yield KeptResponse(row.work_id, int(row.tmdb_id), _document(row.body), row.fetched_at)


def _document(body: bytes) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(isal_zlib.decompress(body, _GZIP))
    return document
