"""A large catalogue in a minute or a few: one movie that the pipeline ingested, again and again, and calls to match."""

from __future__ import annotations

import gzip

import click
from sqlalchemy import Connection, Engine, text

_COPIES = """
    INSERT INTO {table} ({columns})
    SELECT {values} FROM {table} t, generate_series(:first, :last) AS n WHERE t.work_id = :work_id
"""
# Of the works a few have failed, are new, or lack something; they were refreshed and released at all times.
_VARIED = """
    UPDATE works SET
        title = 'Movie ' || tmdb_id,
        release_date = current_date - (work_id % 9000)::integer,
        year = extract(year FROM current_date - (work_id % 9000)::integer)::integer,
        last_refreshed_at = now() - make_interval(secs => work_id % 2000000),
        request_count = 3,
        ingestion_status = CASE WHEN work_id % 1000 = 7 THEN 'failed' ELSE 'complete' END,
        ingestion_error = CASE WHEN work_id % 1000 = 7 THEN '/movie/' || tmdb_id || ': TMDB answered 500' END,
        retry_at = CASE WHEN work_id % 1000 = 7 THEN now() + interval '1 day' END
    WHERE work_id > :work_id
"""
_LISTS = ("cast_members", "crew_members", "trailers", "still_images")
_TABLES = ("works_meta", "rating_sources", "aggregates", "similar_movies", "work_cards_cache", "movie_responses")
_QUEUE = """
    INSERT INTO refresh_queue (work_id, status, reason, priority, queued_at, due_at, processed_at)
    SELECT work_id, 'completed', 'stale', 10, moment, moment, moment + interval '1 minute'
    FROM (SELECT work_id, now() - make_interval(secs => work_id % 7000000) AS moment FROM works) AS w
    WHERE work_id % 4 = 0
"""
_CALLS = """
    INSERT INTO tmdb_api_logs (endpoint, endpoint_pattern, method, http_status, response_size_bytes, response_time_ms,
        edge_function, tmdb_id, error_message, retry_count, metadata, created_at)
    SELECT '/movie/' || (n % :movies + 1), '/movie/{id}', 'GET', CASE WHEN n % 200 = 0 THEN 503 ELSE 200 END, 113000,
        60 + n % 200, 'daily_refresh', (n % :movies + 1)::text,
        CASE WHEN n % 200 = 0 THEN '/movie/' || (n % :movies + 1) || ': TMDB answered 503 (attempt 1)' END, 0,
        '{"run_id": "benchmark"}', now() - make_interval(secs => n * 86400.0 * 90 / :calls)
    FROM generate_series(1, :calls) AS n
"""
_IMAGES = """
    WITH image AS (
        INSERT INTO image_inventory
            (key, kind, work_id, source_path, source_size, source_at, status, store, bytes, sha256)
        SELECT 'posters/' || work_id || '_' || size || '.jpg', 'poster', work_id, '/a.jpg', 'w342', last_refreshed_at,
            'stored', 'benchmark', 30000, md5(work_id::text)
        FROM works, (VALUES ('medium'), ('large')) AS sizes (size) RETURNING work_id, key, sha256
    ) INSERT INTO work_images (work_id, key, sha256) SELECT work_id, key, sha256 FROM image
"""
_AT_ONCE = 50_000


def fill(engine: Engine, *, movies: int, calls: int) -> None:
    """Copy the catalogue's only movie until there are so many, and log so many calls of the last 90 days."""
    with engine.begin() as connection:
        work_id: int = connection.execute(text("SELECT work_id FROM works")).scalar_one()
        trimmed = ", ".join(f"{name} = '[]'" for name in _LISTS)
        connection.execute(text(f"UPDATE works_meta SET {trimmed}"))
        connection.execute(text("UPDATE work_cards_cache SET payload = payload || :lists"), {"lists": _no_lists()})
        # 27 kB each would be all that the disk is busy with, and nothing that is measured reads them.
        connection.execute(text("UPDATE movie_responses SET body = :body"), {"body": gzip.compress(b"{}")})
        connection.execute(text(f"SELECT setval(pg_get_serial_sequence('works', 'work_id'), {work_id})"))
    for first in range(1, movies, _AT_ONCE):
        with engine.begin() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            last = min(first + _AT_ONCE, movies) - 1
            _copy(connection, work_id, first, last)
        click.echo(f"{last:,} movies", err=True)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text(_VARIED), {"work_id": work_id})
        # The copies brought their ids, and an ingest gets its own from the sequence.
        connection.execute(text("SELECT setval(pg_get_serial_sequence('works', 'work_id'), max(work_id)) FROM works"))
        connection.execute(text(_QUEUE))
        connection.execute(text(_IMAGES))
        connection.execute(text(_CALLS), {"movies": movies, "calls": calls})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql("VACUUM ANALYZE")


def _no_lists() -> str:
    return "{" + ", ".join(f'"{name}": []' for name in ("cast", "crew", "similar", "trailers", "still_images")) + "}"


def _copy(connection: Connection, work_id: int, first: int, last: int) -> None:
    numbers = {"first": first, "last": last, "work_id": work_id}
    own = {"work_id": f"{work_id} + n", "tmdb_id": "(2000000 + n)::text", "imdb_id": "NULL", "request_count": "1"}
    for table in ("works", *_TABLES):
        columns = connection.scalars(
            text(
                "SELECT attname FROM pg_attribute WHERE attrelid = CAST(:table AS regclass) AND attnum > 0 "
                "AND NOT attisdropped AND attname NOT IN ('id', 'rating_id')"
            ),
            {"table": table},
        ).all()
        values = ", ".join(own.get(name, f"t.{name}") for name in columns)
        statement = _COPIES.format(table=table, columns=", ".join(columns), values=values)
        connection.execute(text(statement), numbers)
