from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from tmdb_dagster.clock import utc_now
from tmdb_dagster.warehouse.claims import Target
from tmdb_dagster.warehouse.claims import claim as claim_works
from tmdb_dagster.warehouse.refresh_queue import (
    _CLAIM,
    _ENQUEUE_UNFINISHED,
    _ENQUEUE_WITHOUT_DATA,
    MAX_RETRIES,
    WALKED_AT_ONCE,
    Ending,
    backlog,
    claim_entries,
    enqueue_changed,
    enqueue_requested,
    enqueue_stale,
    enqueue_unfinished,
    finish_entries,
    give_back_entries,
    rescue_entries,
)
from tmdb_dagster_tests.warehouse.database import add_work, execute, rows, take_lease, value

FUTURE = datetime(2100, 1, 1, tzinfo=UTC)

FRESH_META = "INSERT INTO works_meta (work_id, schema_version) SELECT work_id, current_schema_version() FROM works"


def add_works(engine: Engine, *tmdb_ids: int, **columns: Any) -> None:
    for tmdb_id in tmdb_ids:
        add_work(engine, tmdb_id, **columns)


def request(engine: Engine, *tmdb_ids: int) -> int:
    with engine.begin() as connection:
        return enqueue_requested(connection, tmdb_ids)


def claim(engine: Engine, run_id: str = "run-1", limit: int = 100) -> list[int]:
    """The TMDB ids of what a run gets, in its order."""
    with engine.begin() as connection:
        return [entry.tmdb_id or 0 for entry in claim_entries(connection, run_id, limit)]


def finish(engine: Engine, ending: Ending, run_id: str = "run-1") -> list[str]:
    """End all that the run has claimed; returns what became of it."""
    ids = [row.id for row in rows(engine, "SELECT id::text FROM refresh_queue WHERE status = 'processing'")]
    with engine.begin() as connection:
        return list(finish_entries(connection, run_id, dict.fromkeys(ids, ending)).values())


def entries(engine: Engine) -> list[Any]:
    return rows(engine, "SELECT q.*, w.tmdb_id FROM refresh_queue q JOIN works w USING (work_id) ORDER BY q.id")


@pytest.fixture(autouse=True)
def _lease(engine: Engine) -> None:
    take_lease(engine, "run-1")


def test_what_is_urgent_goes_first(engine: Engine) -> None:
    now = utc_now()
    for tmdb_id, days in {1: 3650, 2: 200, 3: 100, 4: 10}.items():
        work_id = add_work(
            engine,
            tmdb_id,
            release_date=(now - timedelta(days=days)).date(),
            last_refreshed_at=now - timedelta(days=40),
        )
        execute(
            engine,
            "INSERT INTO works_meta (work_id, schema_version) VALUES (:id, current_schema_version())",
            id=work_id,
        )
    add_works(engine, 5)  # never refreshed
    add_works(engine, 6, 7, last_refreshed_at=now, release_date=(now - timedelta(days=3650)).date())
    execute(
        engine,
        FRESH_META + " WHERE tmdb_id IN ('6', '7')",
    )
    with engine.begin() as connection:
        assert enqueue_stale(connection, 200) == 5
        assert enqueue_changed(connection, [7, 1, 999], refreshed_before=FUTURE) == 2, "1 moves ahead of its tier"
        assert enqueue_requested(connection, [6]) == 1

    assert claim(engine) == [6, 5, 4, 1, 7, 3, 2]
    assert {int(row.tmdb_id): row.reason for row in entries(engine)} == {
        6: "requested",
        5: "new",
        4: "recent",
        1: "changed",
        7: "changed",
        3: "stale",
        2: "stale",
    }


def test_a_refreshed_work_without_data_is_stale_and_urgent(engine: Engine) -> None:
    """As another system left it, that noted a refresh before it had any data."""
    for tmdb_id in (1, 2):
        add_work(engine, tmdb_id, last_refreshed_at=utc_now(), ingestion_status="complete")
    execute(
        engine,
        FRESH_META + " WHERE tmdb_id = '2'",
    )
    add_works(engine, 3)
    with engine.begin() as connection:
        assert enqueue_stale(connection, 1) == 1
        assert enqueue_stale(connection, 200) == 1
        assert enqueue_stale(connection, 200) == 0

    assert sorted(claim(engine)) == [1, 3]
    assert {(row.tmdb_id, row.priority, row.reason) for row in entries(engine)} == {
        ("1", 80, "schema"),
        ("3", 80, "new"),
    }


def test_works_without_data_are_looked_for_some_at_a_time(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each refresh goes on where the last one ended, and at the end begins anew."""
    execute(
        engine,
        f"""INSERT INTO works (tmdb_id, title, last_refreshed_at, ingestion_status)
        SELECT n::text, '', now(), 'complete' FROM generate_series(1, {WALKED_AT_ONCE + 10}) n""",
    )
    execute(engine, FRESH_META)
    execute(engine, "DELETE FROM works_meta WHERE work_id IN (SELECT work_id FROM works ORDER BY work_id DESC LIMIT 3)")

    with engine.begin() as connection:
        assert [enqueue_stale(connection, 2) for _ in range(5)] == [0, 2, 1, 0, 0]


def test_a_work_has_one_open_entry_and_any_number_of_finished_ones(engine: Engine) -> None:
    add_works(engine, 603)
    for _ in range(3):
        assert request(engine, 603) == 1
        assert request(engine, 603) == 0
        assert claim(engine) == [603]
        assert finish(engine, Ending("completed")) == ["completed"]
    assert [row.status for row in entries(engine)] == ["completed"] * 3


def test_what_is_asked_for_while_it_is_processed_is_processed_again(engine: Engine) -> None:
    add_works(engine, 603)
    request(engine, 603)
    claim(engine)
    with engine.begin() as connection:
        enqueue_changed(connection, [603], refreshed_before=FUTURE)

    finish(engine, Ending("completed"))

    [entry] = entries(engine)
    assert (entry.status, entry.claimed_by) == ("queued", None)
    assert claim(engine) == [603]


def test_a_stale_work_that_a_run_is_fetching_is_not_queued(engine: Engine) -> None:
    add_works(engine, 603, 604)
    with engine.begin() as connection:
        claim_works(connection, "run-1", [Target(603, "The Matrix")])
    with engine.begin() as connection:
        assert enqueue_stale(connection, 10) == 1
    assert [entry.tmdb_id for entry in entries(engine)] == ["604"]


def test_a_change_that_is_known_already_is_not_queued(engine: Engine) -> None:
    add_works(engine, 603, last_refreshed_at=datetime(2026, 11, 20, tzinfo=UTC))
    with engine.begin() as connection:
        assert enqueue_changed(connection, [603], refreshed_before=datetime(2026, 11, 20, tzinfo=UTC)) == 0
        assert enqueue_changed(connection, [603], refreshed_before=datetime(2026, 11, 21, tzinfo=UTC)) == 1


def test_claims_are_disjoint_under_concurrency(engine: Engine) -> None:
    add_works(engine, *range(1, 301))
    execute(engine, "INSERT INTO refresh_queue (work_id) SELECT work_id FROM works")
    workers = [f"worker-{number}" for number in range(8)]
    taken: dict[str, list[int]] = {worker: [] for worker in workers}
    for worker in workers:
        take_lease(engine, worker)
    barrier = threading.Barrier(len(workers))

    def work(worker: str) -> None:
        barrier.wait()
        while found := claim(engine, worker, limit=7):
            taken[worker] += found

    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(tmdb_id for found in taken.values() for tmdb_id in found) == list(range(1, 301))


def test_a_dead_runs_entries_come_back(engine: Engine) -> None:
    add_works(engine, 1, 2)
    request(engine, 1, 2)
    take_lease(engine, "dead")
    assert sorted(claim(engine, "dead")) == [1, 2]
    assert claim(engine) == [], "it is alive"

    take_lease(engine, "dead", seconds=-1)

    assert sorted(claim(engine)) == [1, 2]
    with engine.begin() as connection:
        first = str(entries(engine)[0].id)
        assert finish_entries(connection, "dead", {first: Ending("completed")}) == {}, "an expired owner ends nothing"
    assert {row.status for row in entries(engine)} == {"processing"}


def test_entries_without_a_claimant_come_back(engine: Engine) -> None:
    add_works(engine, 1)
    execute(engine, "INSERT INTO refresh_queue (work_id, status) SELECT work_id, 'processing' FROM works")
    with engine.begin() as connection:
        assert backlog(connection).due == 1
        assert rescue_entries(connection) == 1
    assert claim(engine) == [1]


def test_an_entry_of_no_work_is_ended_and_one_without_a_time_is_completed(engine: Engine) -> None:
    """Such entries come with a database that was taken over."""
    add_works(engine, 1)
    execute(
        engine,
        """
        ALTER TABLE refresh_queue DROP CONSTRAINT refresh_queue_work_id_fkey, ALTER COLUMN work_id DROP NOT NULL;
        INSERT INTO refresh_queue (work_id, status) VALUES (NULL, 'queued'), (998, 'queued'), (999, 'processing');
        ALTER TABLE refresh_queue ADD FOREIGN KEY (work_id) REFERENCES works NOT VALID;
        INSERT INTO refresh_queue (work_id, queued_at) SELECT work_id, NULL FROM works;
        """,
    )

    assert claim(engine) == [1]
    assert finish(engine, Ending("completed")) == ["completed"]

    assert {row.status for row in rows(engine, "SELECT status FROM refresh_queue")} == {"completed"}
    with engine.begin() as connection:
        assert backlog(connection).open == 0


def test_what_a_run_gives_back_is_as_before(engine: Engine) -> None:
    add_works(engine, 1)
    request(engine, 1)
    claim(engine)
    with engine.begin() as connection:
        give_back_entries(connection, "run-1")
    [entry] = entries(engine)
    assert (entry.status, entry.retry_count, entry.claimed_by, entry.last_error) == ("queued", 0, None, None)


def test_retries_end(engine: Engine) -> None:
    add_works(engine, 1)
    request(engine, 1)
    for _ in range(MAX_RETRIES):
        claim(engine)
        assert finish(engine, Ending("failed", "boom")) == ["retried"]
        assert claim(engine) == []
        execute(engine, "UPDATE refresh_queue SET due_at = now()")
    claim(engine)
    assert finish(engine, Ending("failed", "boom")) == ["failed"]
    [entry] = entries(engine)
    assert (entry.status, entry.last_error) == ("failed", "boom")


def test_a_busy_movie_waits_a_minute_and_loses_no_try(engine: Engine) -> None:
    add_works(engine, 1)
    request(engine, 1)
    claim(engine)
    assert finish(engine, Ending("busy", "Run x is ingesting it")) == ["busy"]
    [entry] = entries(engine)
    assert (entry.status, entry.retry_count) == ("queued", 0)
    assert 59 < (entry.due_at - entry.processed_at).total_seconds() < 61


def test_unfinished_works_come_back_after_their_delay(engine: Engine) -> None:
    add_works(engine, 1, ingestion_status="pending")
    add_works(engine, 2, ingestion_status="failed", retry_at=utc_now() - timedelta(seconds=1))
    add_works(engine, 3, ingestion_status="failed", retry_at=FUTURE)
    add_works(engine, 4, ingestion_status="failed", gone_at=utc_now())
    add_works(engine, 5, ingestion_status="complete")
    with engine.begin() as connection:
        assert enqueue_unfinished(connection, 1) == 1
        assert enqueue_unfinished(connection, 50) == 1
        assert enqueue_unfinished(connection, 50) == 0
    assert claim(engine) == [1, 2]


@pytest.fixture
def large(engine: Engine) -> Engine:
    """Many works, a third of them stale and some incomplete, and a long queue with a longer past."""
    execute(
        engine,
        """
        INSERT INTO works (tmdb_id, title, missing_parts, release_date, last_refreshed_at, ingestion_status)
        SELECT n::text, 'Movie ' || n, CASE WHEN n % 50 = 3 THEN ARRAY['credits'] END,
            CASE WHEN n % 20 > 0 THEN current_date - (power(n / 30000.0, 2) * 20000)::int + 60 END,
            now() - (n * 7919 % 30000) / 30000.0 * interval '40 days', 'complete'
        FROM generate_series(1, 30000) n
        """,
    )
    execute(engine, FRESH_META)
    execute(
        engine,
        """
        INSERT INTO refresh_queue (work_id, status, priority, queued_at)
        SELECT work_id, CASE WHEN work_id % 20 = 0 THEN 'queued' ELSE 'completed' END, work_id % 7,
            now() - work_id * interval '1 second'
        FROM works WHERE work_id <= 20000
        """,
    )
    execute(engine, "ANALYZE works, works_meta, refresh_queue")
    return engine


def plan(engine: Engine, sql: str, *, analyze: bool = False, **parameters: Any) -> str:
    return "\n".join(row[0] for row in rows(engine, f"EXPLAIN (ANALYZE {analyze}) {sql}", **parameters))


def test_the_hot_queries_walk_along_indexes(large: Engine) -> None:
    stale = plan(large, "SELECT * FROM stale_works(200)")
    assert "Function Scan" not in stale, "the planner sees through the function"
    for index in (
        "works_never_refreshed_idx",
        "works_meta_schema_version_idx",
        "works_missing_parts_idx",
        "works_last_refreshed_at_idx",
    ):
        assert f"using {index}" in stale
    walked = plan(large, "SELECT * FROM stale_works(200)", analyze=True)
    # Two anti joins: not queued, and not excluded.
    joined = r"(-> +Nested Loop Anti Join[^>]*){2}"
    walk = rf"Limit[^>]*{joined}-> +Index Scan[^>]*works_tiers_idx.*loops=3"
    assert re.search(walk, walked), "one walk for each tier but the last"
    assert "Seq Scan on works" not in stale

    claiming = plan(large, _CLAIM.text, run_id="run-1", limit=25)
    assert "refresh_queue_status_priority_queued_at_idx" in claiming
    assert "Seq Scan" not in claiming

    execute(large, "UPDATE works SET ingestion_status = 'failed' WHERE work_id % 100 = 0")
    execute(large, "ANALYZE works")
    unfinished = plan(large, _ENQUEUE_UNFINISHED.text, limit=200)
    assert "works_unfinished_idx" in unfinished
    assert "Seq Scan" not in unfinished
    execute(large, "UPDATE works SET ingestion_status = 'complete'")

    walked = plan(large, _ENQUEUE_WITHOUT_DATA.text, after=10_000, until=11_000, limit=200)
    assert "Seq Scan" not in walked

    assert value(large, "SELECT count(*) FROM stale_works(200)") == 200
    execute(large, "DELETE FROM refresh_queue")
    difference = """
        SELECT count(*) FROM (SELECT work_id FROM works WHERE is_stale(work_id)) a
        FULL JOIN (SELECT work_id FROM stale_works(30000)) b USING (work_id)
        WHERE a.work_id IS NULL OR b.work_id IS NULL
    """
    assert value(large, difference) == 0, "every stale work is listed, and no other"
    assert value(large, "SELECT count(*) FROM stale_works(30000)") > 5000
