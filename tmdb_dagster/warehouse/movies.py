"""Writes movies: all their rows in one transaction, only by the run that claimed them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from tmdb_dagster.transform.card import card_etag
from tmdb_dagster.transform.rows import MovieRows
from tmdb_dagster.warehouse.engine import json_parameter
from tmdb_dagster.warehouse.responses import StoredResponse
from tmdb_dagster.warehouse.upsert import upsert

_OWNED = text("""
    SELECT work_id FROM works WHERE work_id = ANY(:work_ids) AND claimed_by = :run_id
    ORDER BY work_id FOR UPDATE
""")
_TAKEN_IMDB_IDS = text("""
    SELECT imdb_id, work_id FROM works WHERE imdb_id = ANY(:imdb_ids)
""")
_COMPLETE = text("""
    UPDATE works
    SET ingestion_status = 'complete', ingestion_error = NULL, gone_at = NULL, claimed_by = NULL,
        status_before_claim = NULL, failures = 0, retry_at = NULL, request_count = coalesce(request_count, 0) + 1,
        last_refreshed_at = f.fetched_at
    FROM jsonb_to_recordset(CAST(:fetched AS jsonb)) AS f(work_id bigint, fetched_at timestamptz)
    WHERE works.work_id = f.work_id
""")
_CONFIRM_RESPONSES = text("""
    UPDATE movie_responses r SET fetched_at = f.fetched_at
    FROM jsonb_to_recordset(CAST(:fetched AS jsonb)) AS f(work_id bigint, fetched_at timestamptz)
    WHERE r.work_id = f.work_id
""")
_IDENTIFY = text("""
    UPDATE works w
    SET imdb_id = r.imdb_id, title = r.title, original_title = r.original_title, year = r.year,
        release_date = r.release_date, updated_at = clock_timestamp()
    FROM jsonb_populate_recordset(NULL::works, CAST(:rows AS jsonb)) r
    WHERE w.work_id = r.work_id
        AND (w.imdb_id, w.title, w.original_title, w.year, w.release_date)
            IS DISTINCT FROM (r.imdb_id, r.title, r.original_title, r.year, r.release_date)
""")
_STORE_RESPONSES = text("""
    INSERT INTO movie_responses AS t (work_id, body, body_bytes, content_hash, fetched_at)
    SELECT * FROM unnest(
        CAST(:work_ids AS bigint[]), CAST(:bodies AS bytea[]), CAST(:sizes AS integer[]), CAST(:hashes AS text[]),
        CAST(:moments AS timestamptz[])
    )
    ON CONFLICT (work_id) DO UPDATE SET
        body = EXCLUDED.body, body_bytes = EXCLUDED.body_bytes, content_hash = EXCLUDED.content_hash,
        fetched_at = EXCLUDED.fetched_at
""")
_DROP_OLD_SIMILAR = text("""
    DELETE FROM similar_movies s
    WHERE s.work_id = ANY(:work_ids) AND s.source = 'tmdb' AND NOT EXISTS (
        SELECT FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS n(work_id bigint, similar_tmdb_id text)
        WHERE n.work_id = s.work_id AND n.similar_tmdb_id = s.similar_tmdb_id
    )
""")


_DROP_OLD_IMAGES = text("""
    DELETE FROM work_images s
    WHERE s.work_id = ANY(:work_ids) AND NOT EXISTS (
        SELECT FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS n(work_id bigint, key text)
        WHERE n.work_id = s.work_id AND n.key = s.key
    )
""")


@dataclass(frozen=True)
class FetchedMovie:
    """A movie as fetched; `rows` and `response` are None where TMDB's answer has not changed."""

    work_id: int
    fetched_at: datetime
    rows: MovieRows | None
    response: StoredResponse | None


@dataclass(frozen=True)
class Written:
    """What a write did: the works written, and those that landed without their IMDb id, with the id."""

    work_ids: frozenset[int]
    imdb_clashes: Mapping[int, str]


def write_movies(connection: Connection, run_id: str, movies: Sequence[FetchedMovie]) -> Written:
    """Complete the claims of this run on `movies`; those that another run has taken over are left out."""
    owned = frozenset(
        connection.scalars(_OWNED, {"run_id": run_id, "work_ids": sorted(movie.work_id for movie in movies)})
    )
    mine = [movie for movie in movies if movie.work_id in owned]
    fetched = json_parameter([{"work_id": m.work_id, "fetched_at": m.fetched_at} for m in mine])
    changed = {m.work_id: m.rows for m in mine if m.rows is not None}
    clashes = write_rows(connection, changed)
    answers = [(movie, movie.response) for movie in mine if movie.response is not None]
    connection.execute(
        _STORE_RESPONSES,
        {
            "work_ids": [movie.work_id for movie, _ in answers],
            "bodies": [response.body for _, response in answers],
            "sizes": [response.body_bytes for _, response in answers],
            "hashes": [response.content_hash for _, response in answers],
            "moments": [movie.fetched_at for movie, _ in answers],
        },
    )
    if any(movie.response is None for movie in mine):
        connection.execute(_CONFIRM_RESPONSES, {"fetched": fetched})
    connection.execute(_COMPLETE, {"fetched": fetched})
    return Written(owned, clashes)


def write_rows(connection: Connection, rows: Mapping[int, MovieRows]) -> dict[int, str]:
    """Write the derived rows of works that the transaction has locked, by work_id.

    Returns the IMDb ids that were left out because another work has them, by work_id.
    """
    if not rows:
        return {}
    movies = list(rows.values())
    clashes = _identify(connection, [movie.work for movie in movies])
    for work_id in clashes:
        card = rows[work_id].card
        card["payload"]["imdb_id"] = None
        card["etag"] = card_etag(card["payload"])
    similar = [row for movie in movies for row in movie.similar]
    ratings = [movie.rating for movie in movies if movie.rating is not None]
    scores = [row for movie in movies for row in movie.aggregates]
    now = connection.scalar(text("SELECT clock_timestamp()"))
    _upsert(connection, "works_meta", _stamped([movie.meta for movie in movies], "updated_at", now))
    _upsert(connection, "rating_sources", _stamped(ratings, "last_seen_at", now))
    _upsert(connection, "aggregates", _stamped(scores, "computed_at", now))
    _upsert(connection, "work_cards_cache", _stamped([movie.card for movie in movies], "computed_at", now))
    connection.execute(_DROP_OLD_SIMILAR, {"work_ids": list(rows), "rows": json_parameter(similar)})
    _upsert(connection, "similar_movies", similar)
    images = [row for movie in movies for row in movie.images]
    connection.execute(_DROP_OLD_IMAGES, {"work_ids": list(rows), "rows": json_parameter(images)})
    _upsert(connection, "work_images", images)
    return clashes


# For each table its key, and what may change without a row being rewritten. Of a card only the etag counts.
_TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "works_meta": (("work_id",), ("fetched_at", "updated_at", "streaming.updated_at")),
    "rating_sources": (("work_id", "source_name"), ("last_seen_at",)),
    "aggregates": (("work_id", "method_version"), ("computed_at",)),
    "work_cards_cache": (("work_id",), ("payload", "payload_short", "computed_at")),
    "similar_movies": (("work_id", "similar_tmdb_id", "source"), ()),
    "work_images": (("work_id", "key"), ()),
}


def _upsert(connection: Connection, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    key, stamps = _TABLES[table]
    upsert(connection, table, rows, key=key, stamps=stamps)


def _stamped(rows: Iterable[Mapping[str, Any]], column: str, moment: object) -> list[dict[str, Any]]:
    return [{**row, column: moment} for row in rows]


def _identify(connection: Connection, works: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Write what identifies the works; returns the IMDb ids that were left out."""
    seen: dict[int, str] | None = None
    while True:
        rows, clashes = _without_taken_imdb_ids(connection, works)
        try:
            with connection.begin_nested():
                connection.execute(_IDENTIFY, {"rows": json_parameter(rows)})
        except IntegrityError:
            # Another transaction has just committed one of the ids: the next look sees it, or it was not that.
            if clashes == seen:
                raise
            seen = clashes
        else:
            return clashes


def _without_taken_imdb_ids(
    connection: Connection, works: Iterable[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """TMDB sometimes gives two movies one IMDb id: the one that has it keeps it, the other lands without."""
    rows = [dict(work) for work in works]
    imdb_ids = [row["imdb_id"] for row in rows if row["imdb_id"]]
    owners = {row.imdb_id: row.work_id for row in connection.execute(_TAKEN_IMDB_IDS, {"imdb_ids": imdb_ids})}
    clashes: dict[int, str] = {}
    for row in rows:
        imdb_id = row["imdb_id"]
        if imdb_id and owners.setdefault(imdb_id, row["work_id"]) != row["work_id"]:
            clashes[row["work_id"]] = imdb_id
            row["imdb_id"] = None
    return rows, clashes
