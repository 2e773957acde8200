"""Postgres cut and full at every step of a run: nothing is lost, and nothing is there twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from tmdb_dagster.errors import TmdbDagsterError
from tmdb_dagster.settings import Settings
from tmdb_dagster_tests.database_proxy import Harm, Plan, Proxy
from tmdb_dagster_tests.faults.conftest import MOVIES, assert_complete, ingest, refresh
from tmdb_dagster_tests.warehouse.database import execute, note_writes, rows, value

Check = Callable[[], None]

INGEST_STEPS = {
    "the lease": (b"INSERT INTO run_leases", 0),
    "discovery": (b"INSERT INTO ingest_batches", 0),
    "taking over": (b"UPDATE ingest_batches SET run_id", 0),
    "claim": (b"INSERT INTO works AS w", 0),
    "a permit": (b"UPDATE rate_limits", 7),
    "write": (b"SET ingestion_status = 'complete'", 0),
    "closing": (b"SET closed_at = clock_timestamp()", 0),
    "giving back": (b"SELECT remove_unfinished_works", 1),
    "an early commit": (b"COMMIT", 4),
    "a late commit": (b"COMMIT", 20),
}
REFRESH_STEPS = {
    "queueing": (b"stale_works(", 0),
    "the cursor": (b"SET last_sync_cursor", 0),
    "claiming entries": (b"WITH next AS", 0),
    "a permit": (b"UPDATE rate_limits", 9),
    "ending entries": (b"r.result = 'failed'", 0),
    "giving back": (b"remove_unfinished_works", 1),
    "a late commit": (b"COMMIT", 20),
}


@pytest.mark.parametrize("harm", ["cut", "swallow"])
@pytest.mark.parametrize("step", INGEST_STEPS)
def test_an_ingest_outlives_a_lost_connection(
    step: str, harm: Harm, *, through_the_proxy: Settings, proxy: Proxy, engine: Engine, check: Check
) -> None:
    note_writes(engine)
    words, after = INGEST_STEPS[step]
    plan = proxy.arm(Plan(words, harm, after))

    ingest(through_the_proxy, "run-1")

    assert plan.done == 1
    assert_complete(engine)
    [log] = rows(engine, "SELECT movies_ingested, movies_failed, error_message FROM scheduled_ingestion_log")
    assert tuple(log) == (MOVIES, 0, None)
    assert value(engine, "SELECT count(*) FROM run_leases") == 0
    check()


@pytest.mark.parametrize("harm", ["cut", "swallow"])
@pytest.mark.parametrize("step", REFRESH_STEPS)
def test_a_refresh_outlives_a_lost_connection(
    step: str,
    harm: Harm,
    *,
    settings: Settings,
    through_the_proxy: Settings,
    proxy: Proxy,
    engine: Engine,
    check: Check,
) -> None:
    note_writes(engine)
    ingest(settings, "run-1")
    execute(engine, "UPDATE works SET last_refreshed_at = last_refreshed_at - interval '40 days'")
    words, after = REFRESH_STEPS[step]
    plan = proxy.arm(Plan(words, harm, after))

    refresh(through_the_proxy, "run-2")

    assert plan.done == 1
    assert_complete(engine, writes=2)
    assert rows(engine, "SELECT DISTINCT status FROM refresh_queue") == [("completed",)]
    assert value(engine, "SELECT count(*) FROM refresh_queue") == MOVIES
    check()


@pytest.mark.parametrize("table", ["ingest_batches", "works", "works_meta", "work_cards_cache", "tmdb_api_logs"])
def test_a_full_disk_ends_the_run_and_spoils_nothing(
    table: str, settings: Settings, engine: Engine, check: Check
) -> None:
    """A trigger stands in for the disk: it raises what Postgres raises (SQLSTATE 53100)."""
    execute(
        engine,
        f"""CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
        CREATE TRIGGER full_disk BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION full_disk()""",
    )

    with pytest.raises(TmdbDagsterError, match=r"(?i)space|full|disk|logged"):
        ingest(settings, "run-1")

    check()
    execute(engine, f"DROP TRIGGER full_disk ON {table}")
    ingest(settings, "run-2")
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'complete'") >= MOVIES
    check()
