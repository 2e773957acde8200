"""The catalogue as a person looks at it: a page of movies, and all that is kept of one. Nothing here writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from tmdb_dagster.warehouse.claims import HAS_TMDB_ID

PAGE = 60
"""Movies of a page."""

# A person does not wait longer, and a search that finds no index must not hold up the pipeline.
_READ_ONLY = text("SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = '5s'")
_MOVIES = text("""
    SELECT w.tmdb_id, w.title, w.year, w.ingestion_status AS status, w.gone_at,
        k.payload -> 'poster' ->> 'medium' AS poster, round((k.payload ->> 'ai_score')::numeric) AS score
    FROM works w LEFT JOIN work_cards_cache k USING (work_id)
    WHERE (:search = '' OR w.title ILIKE :pattern OR w.original_title ILIKE :pattern)
        AND (:genre = '' OR k.payload -> 'genres' ? :genre)
        AND (:status = '' OR w.ingestion_status = :status)
    ORDER BY w.release_date DESC NULLS LAST, w.work_id DESC
    LIMIT :limit OFFSET :offset
""")
_TITLES = text(f"""
    SELECT tmdb_id, coalesce(title, 'TMDB movie ' || tmdb_id) || coalesce(' (' || year || ')', '') AS title
    FROM works w WHERE {HAS_TMDB_ID} ORDER BY release_date DESC LIMIT :limit
""")  # noqa: S608 - constants only
# Of the newest cards: the genres of all would be a walk through the catalogue.
_GENRES = text("""
    SELECT DISTINCT genre
    FROM (SELECT payload FROM work_cards_cache ORDER BY work_id DESC LIMIT 500) k,
        jsonb_array_elements_text(k.payload -> 'genres') AS genre
    ORDER BY genre
""")
_MOVIE = text("""
    SELECT w.tmdb_id, w.title, w.year, w.release_date, w.ingestion_status AS status, w.ingestion_error AS error,
        w.created_at, w.updated_at, w.last_refreshed_at, w.gone_at, w.missing_parts, k.payload AS card
    FROM works w LEFT JOIN work_cards_cache k USING (work_id)
    WHERE w.tmdb_id = :tmdb_id
""")
_CALLS = text("""
    SELECT created_at, endpoint, http_status, response_time_ms AS milliseconds, error_message AS error,
        metadata ->> 'run_id' AS run_id
    FROM tmdb_api_logs WHERE tmdb_id = :tmdb_id ORDER BY created_at DESC LIMIT 20
""")


@dataclass(frozen=True)
class Query:
    """Which movies to show: part of a title, a genre, an ingestion status; empty: any."""

    search: str = ""
    genre: str = ""
    status: str = ""
    page: int = 1


@dataclass(frozen=True)
class MoviePage:
    """A movie's work with its card, and its last calls, the newest first."""

    work: RowMapping
    card: dict[str, Any]
    calls: Sequence[RowMapping]


def find_movies(connection: Connection, query: Query) -> tuple[Sequence[RowMapping], bool]:
    """A page of movies, the newest releases first, and whether more follow."""
    connection.execute(_READ_ONLY)
    escaped = query.search.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    rows = (
        connection.execute(
            _MOVIES,
            {
                "search": query.search,
                "pattern": f"%{escaped}%",
                "genre": query.genre,
                "status": query.status,
                "limit": PAGE + 1,
                "offset": (query.page - 1) * PAGE,
            },
        )
        .mappings()
        .all()
    )
    return rows[:PAGE], len(rows) > PAGE


def newest_titles(connection: Connection, limit: int) -> dict[str, str]:
    """Titles with their years by TMDB id, the newest releases and the unknown ones first."""
    return {row.tmdb_id: row.title for row in connection.execute(_TITLES, {"limit": limit})}


def genres(connection: Connection) -> Sequence[str]:
    """The genres to choose from."""
    return connection.scalars(_GENRES).all()


def find_movie(connection: Connection, tmdb_id: int) -> MoviePage | None:
    """One movie; None where the catalogue has none with this id."""
    connection.execute(_READ_ONLY)
    parameters = {"tmdb_id": str(tmdb_id)}
    work = connection.execute(_MOVIE, parameters).mappings().one_or_none()
    if work is None:
        return None
    return MoviePage(work, work["card"] or {}, connection.execute(_CALLS, parameters).mappings().all())
