"""Clocks that are wrong, and machines that sleep."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine

from tmdb_dagster.clock import uptime_s
from tmdb_dagster.pipeline.refresh import RefreshRequest, refresh_daily
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.warehouse import leases
from tmdb_dagster_tests.pipeline.enriching import enriched, some_movies
from tmdb_dagster_tests.warehouse.database import execute, until, value

StartRun = Callable[..., Run]
AHEAD = timedelta(days=3)


@pytest.fixture
def clock_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's clock is three days ahead; the database's is right."""

    def wrong_now() -> datetime:
        return datetime.now(UTC) + AHEAD  # noqa: TID251 - the clock that is wrong

    for module in ("clock", "tmdb.transport", "images.download"):
        monkeypatch.setattr(f"tmdb_dagster.{module}.utc_now", wrong_now)


def today(engine: Engine) -> date:
    found: date = value(engine, "SELECT (now() AT TIME ZONE 'utc')::date")
    return found


def read_until(engine: Engine) -> date:
    cursor = "SELECT last_sync_cursor FROM sync_state WHERE sync_type = 'daily_refresh'"
    return date.fromisoformat(value(engine, cursor))


def refreshed(run: Run) -> set[int]:
    found: set[int] = set()
    refresh_daily(run, RefreshRequest(max_stale=0), lambda outcomes: found.update(o.tmdb_id for o in outcomes))
    return found


@pytest.mark.usefixtures("clock_ahead")
def test_what_a_run_writes_bears_the_databases_time(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine
) -> None:
    enriched(start_run(), some_movies(sandbox, 3))
    refreshed(start_run("daily"))

    assert value(engine, "SELECT max(last_refreshed_at) <= now() FROM works")
    assert value(engine, "SELECT max(fetched_at) <= now() FROM works_meta")
    assert value(engine, "SELECT max(created_at) <= now() FROM scheduled_ingestion_log")
    assert read_until(engine) == today(engine)
    until(lambda: value(engine, "SELECT count(*) FROM tmdb_api_logs") > 0, "the log of calls")
    assert value(engine, "SELECT max(created_at) <= now() FROM tmdb_api_logs")


def test_a_cursor_in_the_future_hides_no_change(start_run: StartRun, sandbox: SandboxServer, engine: Engine) -> None:
    movies = some_movies(sandbox, 3)
    enriched(start_run(), movies)
    execute(engine, "UPDATE works SET last_refreshed_at = last_refreshed_at - interval '1 day'")
    sandbox.catalogue.touch(movies[0])
    future = today(engine) + AHEAD
    insert = "INSERT INTO sync_state (sync_type, last_sync_cursor) VALUES ('daily_refresh', :day)"
    execute(engine, insert, day=future.isoformat())

    assert refreshed(start_run("daily")) == {movies[0]}

    assert read_until(engine) == today(engine)


def test_a_refresh_in_the_future_is_no_refresh(start_run: StartRun, sandbox: SandboxServer, engine: Engine) -> None:
    [movie] = some_movies(sandbox, 1)
    enriched(start_run(), [movie])
    execute(engine, "UPDATE works SET last_refreshed_at = now() + interval '400 days'")

    assert value(engine, "SELECT is_stale(work_id) FROM works")
    assert value(engine, "SELECT count(*) FROM stale_works(10)") == 1
    assert value(engine, "SELECT sum(stale) FROM v_catalogue_health") == 1
    assert enriched(start_run("again"), [movie])[movie].status == "unchanged"
    assert value(engine, "SELECT last_refreshed_at <= now() FROM works")


def test_a_run_that_was_asleep_asks_for_nothing_that_others_took_over(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has claimed 40 movies and waits for the first answers when its machine falls asleep."""
    monkeypatch.setattr(leases, "RENEW_EVERY_S", 3600)
    movies = some_movies(sandbox, 40)
    asleep, awake = start_run("asleep", tmdb_concurrency=2), start_run("awake", tmdb_concurrency=8)
    sandbox.faults.add(Fault("/movie/[0-9]+", "delay", delay_s=4.0, times=2))
    with ThreadPoolExecutor(1) as pool:
        sleeper = pool.submit(enriched, asleep, movies)
        until(lambda: sandbox.stats.calls == 2, "the first calls")
        execute(engine, "UPDATE run_leases SET expires_at = now() - interval '1 second' WHERE run_id = 'asleep'")
        monkeypatch.setattr(leases, "uptime_s", lambda: uptime_s() + leases.LEASE_S + 1)
        assert {outcome.status for outcome in enriched(awake, movies).values()} == {"ingested"}
        outcomes = sleeper.result()

    assert {outcome.status for outcome in outcomes.values()} <= {"busy", "cached"}
    assert sandbox.stats.calls <= 2 + 40 + 2, "but for the calls that were under way"
