from __future__ import annotations

from sqlalchemy import Engine

from tmdb_dagster.warehouse.retention import remove_old_rows
from tmdb_dagster_tests.warehouse.database import add_work, execute, rows, take_lease, value

OLD, NEW = "now() - interval '31 days'", "now() - interval '29 days'"

LOG_COLUMNS = "source, movies_checked, movies_skipped, movies_ingested, movies_failed, duration_ms, trigger_type"


def _remove(engine: Engine, **changes: int) -> dict[str, int]:
    removed = remove_old_rows(engine, **{"log_days": 30, "history_days": 60, **changes})
    return {table: count for table, count in removed.items() if count}


def test_old_calls_go_in_batches_and_new_ones_stay(engine: Engine) -> None:
    execute(engine, f"INSERT INTO tmdb_api_logs (endpoint, created_at) SELECT 'old', {OLD} FROM generate_series(1, 7)")
    execute(engine, f"INSERT INTO tmdb_api_logs (endpoint, created_at) SELECT 'new', {NEW} FROM generate_series(1, 2)")

    assert _remove(engine, batch=3) == {"tmdb_api_logs": 7}

    assert rows(engine, "SELECT endpoint, count(*) FROM tmdb_api_logs GROUP BY 1") == [("new", 2)]


def test_open_queue_entries_stay_whatever_their_age(engine: Engine) -> None:
    for tmdb_id, (status, processed) in enumerate(
        [("queued", "NULL"), ("processing", "NULL"), ("completed", OLD), ("failed", OLD), ("completed", NEW)], start=1
    ):
        execute(
            engine,
            f"INSERT INTO refresh_queue (work_id, status, queued_at, processed_at) "
            f"VALUES (:work_id, :status, now() - interval '1 year', {processed})",
            work_id=add_work(engine, tmdb_id),
            status=status,
        )

    assert _remove(engine) == {"refresh_queue": 2}

    assert [row.status for row in rows(engine, "SELECT status FROM refresh_queue ORDER BY id")] == [
        "queued",
        "processing",
        "completed",
    ]


def test_open_batches_stay_and_closed_ones_take_their_candidates_along(engine: Engine) -> None:
    for run_id, closed in (("open", "NULL"), ("old", OLD), ("new", NEW)):
        execute(
            engine,
            f"""WITH b AS (
                INSERT INTO ingest_batches (run_id, source, max_movies, pages_per_source, trigger_type,
                    movies_checked, movies_skipped, started_at, closed_at)
                VALUES (:run_id, 'mixed', 1, 1, 'manual', 1, 0, now() - interval '1 year', {closed})
                RETURNING batch_id
            ) INSERT INTO ingest_candidates (batch_id, tmdb_id, rank, title, sources)
            SELECT batch_id, '603', 1, 'A', ARRAY['popular'] FROM b""",
            run_id=run_id,
        )

    assert _remove(engine) == {"ingest_batches": 1}

    left = "SELECT run_id FROM ingest_batches JOIN ingest_candidates USING (batch_id) ORDER BY batch_id"
    assert [row.run_id for row in rows(engine, left)] == ["open", "new"]


def test_history_is_kept_longer(engine: Engine) -> None:
    for age in ("31 days", "61 days"):
        execute(
            engine,
            f"INSERT INTO list_snapshots (run_id, source, rank, page, tmdb_id, fetched_at) "
            f"VALUES ('{age}', 'popular', 1, 1, '603', now() - interval '{age}')",
        )
        execute(
            engine,
            f"INSERT INTO scheduled_ingestion_log ({LOG_COLUMNS}, run_id, created_at) "
            f"VALUES ('mixed', 1, 0, 1, 0, 1500, 'manual', '{age}', now() - interval '{age}')",
        )

    assert _remove(engine) == {"list_snapshots": 1, "scheduled_ingestion_log": 1}

    assert value(engine, "SELECT run_id FROM list_snapshots") == "31 days"


def test_leases_of_the_living_and_of_the_newly_dead_stay(engine: Engine) -> None:
    for run_id, seconds in (("alive", 20), ("dead", -60), ("long dead", -90_000)):
        take_lease(engine, run_id, seconds=seconds)

    assert _remove(engine) == {"run_leases": 1}

    assert {row.run_id for row in rows(engine, "SELECT run_id FROM run_leases")} == {"alive", "dead"}


def test_what_another_transaction_holds_is_left_to_the_next_time(engine: Engine) -> None:
    for tmdb_id in (1, 2, 3):
        execute(
            engine,
            f"INSERT INTO refresh_queue (work_id, status, processed_at) VALUES (:work_id, 'completed', {OLD})",
            work_id=add_work(engine, tmdb_id),
        )

    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT FROM refresh_queue ORDER BY id LIMIT 1 FOR UPDATE")
        assert _remove(engine) == {"refresh_queue": 2}

    assert _remove(engine) == {"refresh_queue": 1}
