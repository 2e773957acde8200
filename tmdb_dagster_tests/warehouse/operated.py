"""A catalogue that has been operated for a while: something for every view to show."""

from __future__ import annotations

from sqlalchemy import Engine, text

from tmdb_dagster_tests.warehouse.database import add_work, execute, take_lease

DAY = "(now() AT TIME ZONE 'utc')::date"

LIKE_TAKEN_OVER = """
ALTER TABLE scheduled_ingestion_log ALTER movies_checked DROP NOT NULL, ALTER movies_skipped DROP NOT NULL,
    ALTER movies_ingested DROP NOT NULL, ALTER movies_failed DROP NOT NULL, ALTER duration_ms DROP NOT NULL,
    ALTER trigger_type DROP NOT NULL
"""
"""A database that was taken over may have log rows without figures."""


def operate(engine: Engine) -> None:
    """Fill every table that the views read."""
    _movies(engine)
    _calls(engine)
    _queue(engine)
    _lists(engine)
    execute(engine, LIKE_TAKEN_OVER)
    execute(
        engine,
        """INSERT INTO scheduled_ingestion_log (source, movies_checked, movies_skipped, movies_ingested, movies_failed,
            ingested_titles, failed_titles, duration_ms, trigger_type, error_message, run_id, created_at)
        VALUES ('mixed', 100, 90, 9, 1, '{A (2000)}', '{"603: no answer"}', 61500, 'scheduled', NULL, 'run-1',
                now() - interval '2 days'),
            ('refresh', 50, 0, 50, 0, '{}', '{}', 30000, 'scheduled', NULL, 'run-2', now() - interval '1 day'),
            ('popular', 0, 0, 0, 0, '{}', '{}', 900, 'manual', 'No page of any list', 'run-3', now()),
            ('popular', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, now() - interval '9 days')""",
    )


def _movies(engine: Engine) -> None:
    """603 is fine; 604 is stale and lacks an image; 605 is gone; 606 was never fetched."""
    for tmdb_id, status, released, refreshed in (
        (603, "complete", 1000, "1 day"),
        (604, "complete", 10, "3 days"),
        (605, "failed", 100, "7 months"),
        (606, None, None, None),
    ):
        work_id = add_work(engine, tmdb_id, ingestion_status=status)
        execute(
            engine,
            f"""UPDATE works SET release_date = {DAY} - CAST(:released AS integer),
                last_refreshed_at = now() - CAST(:refreshed AS interval),
                gone_at = CASE WHEN tmdb_id = '605' THEN now() END
            WHERE work_id = :work_id""",
            work_id=work_id,
            released=released,
            refreshed=refreshed,
        )
        if tmdb_id == 606:
            continue
        statements = """
            INSERT INTO works_meta (work_id, schema_version, poster_url_medium)
                VALUES (:work_id, current_schema_version(), 'https://a/p.jpg');
            INSERT INTO work_cards_cache (work_id, payload) VALUES (:work_id, '{"attribution": {}}');
            INSERT INTO rating_sources (work_id, source_name) VALUES (:work_id, 'TMDB');
            INSERT INTO aggregates (work_id, method_version) VALUES (:work_id, 'v1');
            INSERT INTO image_inventory (key, kind, work_id, source_path, source_size, source_at, status, bytes,
                last_error)
            SELECT kind || :work_id, kind, :work_id, '/x', 'w342', now(), status, CASE status WHEN 'stored' THEN 10 END,
                CASE status WHEN 'failed' THEN 'HTTP 404' END
            FROM (VALUES ('poster', 'stored'),
                ('still', CASE WHEN :work_id % 2 = 0 THEN 'failed' ELSE 'stored' END)) AS i(kind, status);
            INSERT INTO work_images SELECT work_id, key, CASE status WHEN 'stored' THEN 'hash' END FROM image_inventory
            WHERE work_id = :work_id
        """
        with engine.begin() as connection:
            for statement in statements.split(";"):
                connection.execute(text(statement), {"work_id": work_id})


def _calls(engine: Engine) -> None:
    """Of 603, ten calls of 1 to 10 ms in this job's last minutes; of 604, failures; long ago, a list."""
    execute(
        engine,
        """INSERT INTO tmdb_api_logs (endpoint, http_status, response_time_ms, response_size_bytes, edge_function,
            tmdb_id, error_message, retry_count, created_at)
        SELECT '/movie/603', 200, n, 100, 'weekly_ingest', '603', NULL, 0, now() - make_interval(secs => n)
        FROM generate_series(1, 10) n
        UNION ALL
        SELECT '/movie/604', 500, 7, 10, 'ingest_movie', '604',
            '/movie/604: TMDB answered 500 (attempt ' || n || '): broken.', n - 1, now() - make_interval(days => 2)
        FROM generate_series(1, 3) n
        UNION ALL
        VALUES ('/movie/604', 429, 5, NULL, 'ingest_movie', '604', '/movie/604: TMDB answered 429 (attempt 1).', 0,
                now() - interval '3 hours'),
            ('/movie/popular', 200, 50, 999, 'weekly_ingest', NULL, NULL, 0, now() - interval '20 days'),
            ('/movie/popular', NULL, NULL, NULL, NULL, NULL, NULL, NULL, now() - interval '80 days')""",
    )


def _queue(engine: Engine) -> None:
    take_lease(engine, "alive")
    take_lease(engine, "dead", seconds=-60)
    for tmdb_id, columns in (
        (603, "'queued', 60, 'recent', now() - interval '2 hours', now() - interval '2 hours', NULL, 0, NULL"),
        (604, "'queued', 60, 'recent', now() - interval '1 hour', now() + interval '1 hour', NULL, 2, 'no answer'"),
        (605, "'processing', 10, 'stale', now() - interval '3 hours', now(), 'alive', 0, NULL"),
        (606, "'processing', 10, 'stale', now() - interval '5 hours', now(), 'dead', 0, NULL"),
        (603, "'completed', 10, 'stale', now() - interval '9 days', now(), NULL, 1, NULL"),
    ):
        execute(
            engine,
            f"""INSERT INTO refresh_queue (work_id, status, priority, reason, queued_at, due_at, claimed_by,
                retry_count, last_error)
            SELECT work_id, {columns} FROM works WHERE tmdb_id = :tmdb_id""",
            tmdb_id=str(tmdb_id),
        )


def _lists(engine: Engine) -> None:
    snapshot(engine, "a", "1", "2", "3", "4", days=2)
    snapshot(engine, "b", "2", "1", "3", "5", days=1)
    snapshot(engine, "b", "603", days=1, source="trending")


def snapshot(
    engine: Engine, run_id: str, *tmdb_ids: str, days: int, source: str = "popular", pages: tuple[int, ...] = ()
) -> None:
    """A list as it was so many days ago: two movies a page, on pages 1, 2, ... or on `pages`."""
    for index, tmdb_id in enumerate(tmdb_ids):
        page = pages[index // 2] if pages else index // 2 + 1
        execute(
            engine,
            "INSERT INTO list_snapshots (run_id, source, rank, page, tmdb_id, title, fetched_at) "
            "VALUES (:run_id, :source, :rank, :page, :tmdb_id, :title, now() - make_interval(days => :days))",
            run_id=run_id,
            source=source,
            rank=(page - 1) * 2 + index % 2 + 1,
            page=page,
            tmdb_id=tmdb_id,
            title=f"Movie {tmdb_id}",
            days=days,
        )
