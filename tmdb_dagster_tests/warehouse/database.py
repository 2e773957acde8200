"""Short ways to look into a catalogue, and to put movies into it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, text

from tmdb_dagster.tmdb.models import parse_movie
from tmdb_dagster.transform.movie import Countries, ImageUrls, MovieRows, ScorePrior, transform_movie
from tmdb_dagster.warehouse.movies import FetchedMovie, Written, write_movies
from tmdb_dagster.warehouse.responses import canonical, stored_response
from tmdb_dagster_tests.transform.builders import movie_body

FETCHED_AT = datetime(2026, 11, 23, 2, 22, 7, tzinfo=UTC)
DERIVED = ("works_meta", "rating_sources", "aggregates", "similar_movies", "work_cards_cache")
"""The tables that are made from TMDB's answers, works apart."""


def rows(engine: Engine, sql: str, **parameters: Any) -> list[Any]:
    with engine.begin() as connection:
        return list(connection.execute(text(sql), parameters))


def value(engine: Engine, sql: str, **parameters: Any) -> Any:
    with engine.begin() as connection:
        return connection.scalar(text(sql), parameters)


def execute(engine: Engine, sql: str, **parameters: Any) -> None:
    with engine.begin() as connection:
        connection.execute(text(sql), parameters)


def take_lease(engine: Engine, run_id: str, *, seconds: float = 600) -> None:
    """A run that lives for so long, without a thread that renews it; in the past for a dead one."""
    execute(
        engine,
        """INSERT INTO run_leases (run_id, job, expires_at)
        VALUES (:run_id, 'test', clock_timestamp() + make_interval(secs => :seconds))
        ON CONFLICT (run_id) DO UPDATE SET expires_at = EXCLUDED.expires_at""",
        run_id=run_id,
        seconds=seconds,
    )


def add_work(engine: Engine, tmdb_id: int, **columns: Any) -> int:
    """A row of works; returns its work_id."""
    row = {"tmdb_id": str(tmdb_id), "title": f"Movie {tmdb_id}", **columns}
    names, parameters = ", ".join(row), ", ".join(f":{name}" for name in row)
    return int(value(engine, f"INSERT INTO works ({names}) VALUES ({parameters}) RETURNING work_id", **row))


def claimed_work(engine: Engine, tmdb_id: int, run_id: str = "run-1", **columns: Any) -> int:
    """A work that a run has claimed."""
    claim = {"ingestion_status": "ingesting", "claimed_by": run_id, "status_before_claim": "pending"}
    return add_work(engine, tmdb_id, **claim, **columns)


def movie_rows(work_id: int, *, fetched_at: datetime = FETCHED_AT, **changes: Any) -> MovieRows:
    """The rows of the invented movie, with `changes` of TMDB's answer."""
    return transform_movie(
        parse_movie(movie_body(**changes)).movie,
        work_id=work_id,
        fetched_at=fetched_at,
        prior=ScorePrior(mean=6.5, votes=25),
        countries=Countries(watch=("US",), certification="US"),
        images=ImageUrls("https://images.example/t/p", "https://thumbs.example/vi"),
    )


def fetched_movie(work_id: int, *, fetched_at: datetime = FETCHED_AT, **changes: Any) -> FetchedMovie:
    """The invented movie as fetched and transformed."""
    response = stored_response(*canonical(movie_body(**changes)))
    return FetchedMovie(work_id, fetched_at, movie_rows(work_id, fetched_at=fetched_at, **changes), response)


def write(engine: Engine, *movies: FetchedMovie, run_id: str = "run-1") -> Written:
    with engine.begin() as connection:
        return write_movies(connection, run_id, movies)


def claim_again(engine: Engine, run_id: str = "run-1") -> None:
    """Give every work back to a run, so that it may write again."""
    execute(engine, "UPDATE works SET ingestion_status = 'ingesting', claimed_by = :run_id", run_id=run_id)


def note_writes(engine: Engine) -> None:
    """From now on the table `writes` notes each time that a movie is written, or confirmed as unchanged."""
    execute(
        engine,
        """
        CREATE TABLE writes (work_id bigint);
        CREATE FUNCTION note_write() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN INSERT INTO writes VALUES (NEW.work_id); RETURN NULL; END';
        CREATE TRIGGER note_write AFTER UPDATE ON works FOR EACH ROW
            WHEN (OLD.ingestion_status = 'ingesting' AND NEW.ingestion_status = 'complete'
                AND OLD.last_refreshed_at IS DISTINCT FROM NEW.last_refreshed_at) -- and is not given back
            EXECUTE FUNCTION note_write();
        """,
    )


def versions(engine: Engine, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
    """Where each row's present version is stored and who wrote it: unchanged where nothing was rewritten."""
    return {
        table: [tuple(row) for row in rows(engine, f"SELECT ctid::text, xmin::text FROM {table} ORDER BY 1, 2")]
        for table in tables
    }


def contents(engine: Engine, *tables: str, without: tuple[str, ...] = ()) -> dict[str, list[dict[str, Any]]]:
    """Every row of the tables as JSON, in the order of its text."""
    return {
        table: [
            row[0]
            for row in rows(
                engine,
                f"SELECT to_jsonb(t) - CAST(:without AS text[]) FROM {table} t "
                "ORDER BY (to_jsonb(t) - CAST(:without AS text[]))::text",
                without=list(without),
            )
        ]
        for table in tables
    }


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until another thread or process has come so far."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"Waited in vain: {what}"
        time.sleep(0.01)


def waits_for_a_lock(engine: Engine) -> bool:
    """Whether some connection to this database waits for another's lock."""
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(value(engine, blocked))
