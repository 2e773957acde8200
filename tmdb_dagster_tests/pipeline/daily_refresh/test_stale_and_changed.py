"""What is stale or has changed, through the daily refresh, on the sandbox and a real Postgres."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from tmdb_dagster.clock import utc_now
from tmdb_dagster.pipeline.errors import ChangesUnavailable, InvalidRequest
from tmdb_dagster.pipeline.refresh import (
    RefreshRequest,
)
from tmdb_dagster.pipeline.run import open_run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import Settings
from tmdb_dagster_tests.pipeline.daily_refresh.refreshing import (
    StartRun,
    age,
    asked,
    queue,
    read_changes_until,
    refreshed,
)
from tmdb_dagster_tests.warehouse.database import DERIVED, execute, rows, value, versions

CARD = "SELECT payload FROM work_cards_cache JOIN works USING (work_id) WHERE tmdb_id = :id"


def test_only_what_is_stale_or_has_changed_costs_a_call(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    changed, stale = ingested[:5], ingested[10:30]
    for tmdb_id in changed:
        sandbox.catalogue.touch(tmdb_id)
    age(engine, stale)

    refresh, found = refreshed(start_run("daily"))

    assert set(found) == {*changed, *stale}
    assert {found[tmdb_id] for tmdb_id in changed} == {"ingested"}
    assert {found[tmdb_id] for tmdb_id in stale} == {"unchanged"}
    assert asked(sandbox) == (refresh.queued.pages, 25)
    assert (refresh.queued.changed, refresh.queued.stale) == (5, 20)
    assert queue(engine) == {"completed": 25}
    [state] = rows(engine, "SELECT * FROM sync_state WHERE sync_type = 'daily_refresh'")
    assert (state.last_sync_cursor, state.sync_count) == (utc_now().date().isoformat(), 1)
    [log] = rows(engine, "SELECT * FROM scheduled_ingestion_log WHERE source = 'refresh'")
    assert (log.movies_checked, log.movies_ingested, log.movies_failed, log.error_message) == (25, 25, 0, None)
    assert len(log.ingested_titles) == 25


def test_an_unchanged_movie_is_not_rewritten(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    age(engine, ingested[:3])
    before = versions(engine, *DERIVED)
    bodies = rows(engine, "SELECT body FROM movie_responses ORDER BY work_id")

    refreshed(start_run("daily"), use_changes=False)

    assert versions(engine, *DERIVED) == before
    assert rows(engine, "SELECT body FROM movie_responses ORDER BY work_id") == bodies
    assert value(engine, "SELECT count(*) FROM works WHERE is_stale(work_id)") == 0


def test_a_change_is_refreshed_once_a_day(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    sandbox.catalogue.touch(ingested[0])
    assert refreshed(start_run("daily"))[1] == {ingested[0]: "ingested"}
    assert refreshed(start_run("the same day"))[1] == {}

    age(engine, ingested[:1], days=1)  # the next day reads that day again: it may have changed after the refresh
    assert refreshed(start_run("the next day"))[1] == {ingested[0]: "unchanged"}


def test_popularity_alone_rewrites_no_derived_row(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    before = versions(engine, *DERIVED)
    sandbox.faults.add(Fault(f"/movie/{ingested[0]}", "patch", body={"popularity": 123.4}))
    age(engine, ingested[:1])

    _, found = refreshed(start_run("daily"), use_changes=False)

    assert found == {ingested[0]: "ingested"}
    assert sandbox.faults.fired == 1
    assert versions(engine, *DERIVED) == before


def test_votes_alone_move_the_rating_and_the_scores(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    tables = ("works_meta", "similar_movies")
    before = versions(engine, *tables)
    card = value(engine, CARD, id=str(ingested[0]))
    sandbox.faults.add(Fault(f"/movie/{ingested[0]}", "patch", body={"vote_count": 4321, "vote_average": 7.25}))
    age(engine, ingested[:1])

    refreshed(start_run("daily"), use_changes=False)

    assert versions(engine, *tables) == before
    rating = "SELECT votes_count FROM rating_sources JOIN works USING (work_id) WHERE tmdb_id = :id"
    assert value(engine, rating, id=str(ingested[0])) == 4321
    scored = {"ai_score", "ai_score_range", "source_scores"}
    new = value(engine, CARD, id=str(ingested[0]))
    changed = {name for name in card if card[name] != new[name]}
    assert scored <= changed <= scored | {"last_updated", "streaming"}, "stamps in whole seconds may be the same"


def test_the_cursor_moves_only_with_what_is_queued(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    sandbox.catalogue.touch(ingested[0])
    sandbox.faults.add(Fault("/movie/changes", "status", status=500))
    age(engine, ingested[1:3])

    with pytest.raises(ChangesUnavailable, match="next run reads the changes"):
        refreshed(start_run("daily"))

    assert queue(engine) == {"completed": 2}, "the stale ones are refreshed all the same"
    moved = "sync_type = 'daily_refresh' AND (last_sync_cursor IS NOT NULL OR sync_count > 0)"
    assert rows(engine, f"SELECT FROM sync_state WHERE {moved}") == []
    assert value(engine, "SELECT error_message FROM scheduled_ingestion_log") is not None

    sandbox.reset()
    _, found = refreshed(start_run("again"))
    assert found == {ingested[0]: "ingested"}


REFUSE_CHANGES = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'The queue is full'; END $$;
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON refresh_queue DEFERRABLE INITIALLY {when} FOR EACH ROW
WHEN (NEW.reason = 'changed') EXECUTE FUNCTION refuse()
"""


@pytest.mark.parametrize("when", ["IMMEDIATE", "DEFERRED"])
def test_what_cannot_be_queued_moves_no_cursor(
    when: str, start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    """Deferred, the transaction that queues fails at its very end."""
    day = utc_now().date() - timedelta(days=3)
    read_changes_until(engine, day)
    sandbox.catalogue.touch(ingested[0])
    execute(engine, REFUSE_CHANGES.format(when=when))

    with pytest.raises(DBAPIError, match="The queue is full"):
        refreshed(start_run("daily"))

    assert value(engine, "SELECT last_sync_cursor FROM sync_state WHERE sync_type = 'daily_refresh'") == day.isoformat()
    assert queue(engine) == {}

    execute(engine, "DROP TRIGGER refuse ON refresh_queue")
    _, found = refreshed(start_run("again"))
    assert found == {ingested[0]: "ingested"}
    assert value(engine, "SELECT last_sync_cursor FROM sync_state WHERE sync_type = 'daily_refresh'") > day.isoformat()


def test_a_month_of_downtime_is_caught_up(
    settings: Settings, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    today = utc_now().date()
    read_changes_until(engine, today - timedelta(days=45))
    sandbox.catalogue.touch(ingested[0])

    with open_run(settings, run_id="daily", job="test", origin="tmdb") as run:
        refresh, found = refreshed(run)

    assert found == {ingested[0]: "ingested"}
    asked_for = rows(
        engine,
        "SELECT DISTINCT query_params ->> 'start_date' AS start, query_params ->> 'end_date' AS until "
        "FROM tmdb_api_logs WHERE endpoint = '/movie/changes' ORDER BY 1",
    )
    windows = [(date.fromisoformat(row.start), date.fromisoformat(row.until)) for row in asked_for]
    assert windows[0][0] == today - timedelta(days=30)
    assert windows[-1][1] == today
    assert all(end - start <= timedelta(days=14) for start, end in windows)
    assert all(after[0] == before[1] for before, after in itertools.pairwise(windows))
    assert refresh.queued.cursor == today


def test_a_window_with_more_pages_than_tmdb_serves_is_read_in_parts(
    settings: Settings, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    today = utc_now().date()
    read_changes_until(engine, today - timedelta(days=8))
    sandbox.catalogue.touch(ingested[0])
    sandbox.faults.add(Fault("/movie/changes", "patch", body={"total_pages": 501}, times=2))

    with open_run(settings, run_id="daily", job="test", origin="tmdb") as run:
        refresh, found = refreshed(run)

    assert sandbox.faults.fired == 2
    assert found == {ingested[0]: "ingested"}
    assert refresh.queued.cursor == today
    days = """
        SELECT (query_params ->> 'start_date')::date - :today, (query_params ->> 'end_date')::date - :today
        FROM tmdb_api_logs WHERE endpoint = '/movie/changes' GROUP BY 1, 2 ORDER BY 1, 2 DESC
    """
    assert rows(engine, days, today=today) == [(-8, 0), (-8, -4), (-8, -6), (-6, 0)], "in halves, without a gap"


def test_odd_rows_of_the_feed_cost_nothing(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    odd = [{"id": None, "adult": None}, {"id": ingested[0]}, {"id": ingested[0], "softcore": True}, {"id": 999_999_999}]
    sandbox.faults.add(Fault("/movie/changes", "patch", body={"results": odd * 700, "total_pages": 1}))

    refresh, found = refreshed(start_run("daily"))

    assert found == {ingested[0]: "unchanged"}
    assert (refresh.queued.changed, refresh.queued.pages) == (1, 1)


@pytest.mark.parametrize("request_", [{"max_items": 0}, {"batch_size": 0}, {"max_stale": -1}])
def test_a_senseless_request_is_refused(request_: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(request_))):
        RefreshRequest(**request_)
