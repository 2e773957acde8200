"""The daily refresh, through its use case, on the sandbox and a real Postgres."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from tmdb_dagster.clock import utc_now
from tmdb_dagster.pipeline.errors import ChangesUnavailable, InvalidRequest, TmdbOutage
from tmdb_dagster.pipeline.outcome import MovieOutcome, Status
from tmdb_dagster.pipeline.refresh import (
    DrainReport,
    DrainRequest,
    RefreshReport,
    RefreshRequest,
    drain_queue,
    refresh_daily,
)
from tmdb_dagster.pipeline.run import Run, open_run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import Settings
from tmdb_dagster.tmdb.errors import AuthenticationFailed
from tmdb_dagster.warehouse.claims import Target, claim, give_back_claims
from tmdb_dagster.warehouse.refresh_queue import enqueue_requested, enqueue_stale
from tmdb_dagster_tests.pipeline.enriching import enriched, ignore, some_movies
from tmdb_dagster_tests.warehouse.database import DERIVED, execute, rows, value, versions

StartRun = Callable[..., Run]

MOVIES = 40
CARD = "SELECT payload FROM work_cards_cache JOIN works USING (work_id) WHERE tmdb_id = :id"


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """A sandbox of the test's own, since movies change in it."""
    with SandboxServer(movies=300) as server:
        yield server


def refreshed(run: Run, **request: Any) -> tuple[RefreshReport, dict[int, Status]]:
    """A daily refresh, and what became of each movie that it looked at."""
    outcomes: list[MovieOutcome] = []
    report = refresh_daily(run, RefreshRequest(**request), outcomes.extend)
    return report, {outcome.tmdb_id: outcome.status for outcome in outcomes}


def drained(run: Run, **request: Any) -> DrainReport:
    return drain_queue(run, DrainRequest(**request), ignore)


def age(engine: Engine, tmdb_ids: list[int], days: int = 31) -> None:
    """Let so many days pass for some movies, except for TMDB's changes."""
    execute(
        engine,
        "UPDATE works SET last_refreshed_at = last_refreshed_at - make_interval(days => :days) "
        "WHERE tmdb_id = ANY(:tmdb_ids)",
        tmdb_ids=[str(tmdb_id) for tmdb_id in tmdb_ids],
        days=days,
    )


def queue(engine: Engine) -> dict[str, int]:
    return Counter(row.status for row in rows(engine, "SELECT status FROM refresh_queue"))


def read_changes_until(engine: Engine, day: date) -> None:
    execute(
        engine,
        "INSERT INTO sync_state (sync_type, last_sync_cursor) VALUES ('daily_refresh', :day)",
        day=day.isoformat(),
    )


def make_due(engine: Engine) -> None:
    execute(engine, "UPDATE refresh_queue SET due_at = now()")


def asked(sandbox: SandboxServer) -> tuple[int, int]:
    """How many pages of changes and how many movies the sandbox was asked for."""
    calls = sandbox.stats.by_endpoint
    return calls.get("/movie/changes", 0), calls.get("/movie/{id}", 0)


@pytest.fixture
def ingested(start_run: StartRun, sandbox: SandboxServer, engine: Engine) -> list[int]:
    """Movies that were ingested yesterday."""
    movies = some_movies(sandbox, MOVIES)
    assert {outcome.status for outcome in enriched(start_run(), movies).values()} == {"ingested"}
    age(engine, movies, days=1)
    sandbox.reset()
    return movies


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
    assert rows(engine, "SELECT FROM sync_state WHERE last_sync_cursor IS NOT NULL OR sync_count > 0") == []
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

    assert value(engine, "SELECT last_sync_cursor FROM sync_state") == day.isoformat()
    assert queue(engine) == {}

    execute(engine, "DROP TRIGGER refuse ON refresh_queue")
    _, found = refreshed(start_run("again"))
    assert found == {ingested[0]: "ingested"}
    assert value(engine, "SELECT last_sync_cursor FROM sync_state") > day.isoformat()


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


def test_a_movie_that_is_gone_is_completed_and_left_alone(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    sandbox.catalogue.remove(ingested[0])

    refresh, found = refreshed(start_run("daily"))

    assert found == {ingested[0]: "gone"}
    assert refresh.drained.gone == 1
    [entry] = rows(engine, "SELECT status, note FROM refresh_queue")
    assert entry.status == "completed"
    assert "404" in entry.note
    [work] = rows(engine, "SELECT * FROM works WHERE gone_at IS NOT NULL")
    assert work.retry_at - work.gone_at > timedelta(days=29)
    sandbox.reset()

    refreshed(start_run("again"))
    assert asked(sandbox)[1] == 0, "neither its age nor the feed asks for it again"

    execute(engine, "UPDATE works SET retry_at = now() WHERE gone_at IS NOT NULL")
    age(engine, ingested[:1])
    assert refreshed(start_run("a month later"))[1] == {ingested[0]: "gone"}


def test_a_failure_is_tried_three_times_more_and_then_given_up(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    age(engine, ingested[:2])
    sandbox.faults.add(Fault(f"/movie/{ingested[0]}", "status", status=500))
    refreshed_at = value(engine, "SELECT last_refreshed_at FROM works WHERE tmdb_id = :id", id=str(ingested[0]))

    delays = []
    refreshed(start_run("daily"), use_changes=False)
    for attempt in range(1, 5):
        [entry] = rows(
            engine,
            "SELECT *, extract(epoch FROM due_at - processed_at) AS delay FROM refresh_queue WHERE retry_count > 0",
        )
        if attempt <= 3:
            assert (entry.status, entry.retry_count) == ("queued", attempt)
            delays.append(float(entry.delay) / (300 * 2 ** (attempt - 1)))
            assert drained(start_run(f"early-{attempt}")).claimed == 0, "it is not due yet"
            make_due(engine)
            drained(start_run(f"retry-{attempt}"))
    assert all(0.5 <= delay <= 1.5 for delay in delays)
    assert (entry.status, entry.retry_count) == ("failed", 3)
    assert "500" in entry.last_error
    assert value(engine, "SELECT last_refreshed_at FROM works WHERE tmdb_id = :id", id=str(ingested[0])) == refreshed_at
    assert queue(engine) == {"completed": 1, "failed": 1}


def test_a_movie_can_be_queued_again_after_it_was_completed(
    start_run: StartRun, engine: Engine, ingested: list[int]
) -> None:
    for number in range(3):
        age(engine, ingested[:1])
        refreshed(start_run(f"daily-{number}"), use_changes=False)
    assert queue(engine) == {"completed": 3}


def test_a_movie_refreshed_meanwhile_costs_no_call(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    age(engine, ingested[:1])
    run = start_run("daily")
    with engine.begin() as connection:
        assert enqueue_stale(connection, 100) == 1
    enriched(start_run("a person"), ingested[:1], force=True)
    sandbox.reset()

    report = drained(run)

    assert (report.claimed, report.cached) == (1, 1)
    assert asked(sandbox) == (0, 0)
    assert queue(engine) == {"completed": 1}


def test_what_was_fetched_before_a_request_does_not_answer_it(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    """Another run is at the movie when it is asked for, and ends without having fetched it anew."""
    other = start_run("other")
    with engine.begin() as connection:
        assert len(claim(connection, other.run_id, [Target(ingested[0], "x")], force=True)) == 1
        assert enqueue_requested(connection, ingested[:1]) == 1
    sandbox.reset()

    def give_back() -> None:
        with engine.begin() as connection:
            give_back_claims(connection, other.run_id)

    timer = threading.Timer(1, give_back)
    timer.start()
    report = drained(start_run("drain"))
    timer.join()

    assert (report.completed, report.cached) == (1, 0)
    assert asked(sandbox) == (0, 1)


def test_a_work_that_tmdb_cannot_know_holds_nothing_up(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    odd, known = (
        value(engine, "SELECT work_id FROM works WHERE tmdb_id = :id", id=str(tmdb_id)) for tmdb_id in ingested[:2]
    )
    execute(engine, "UPDATE works SET tmdb_id = 'tt0133093', last_refreshed_at = NULL WHERE work_id = :id", id=odd)
    execute(engine, "INSERT INTO refresh_queue (work_id) VALUES (:odd), (:known)", odd=odd, known=known)

    refresh, found = refreshed(start_run("daily"), use_changes=False)

    assert found == {ingested[1]: "unchanged"}
    assert (refresh.queued.stale, refresh.drained.completed, refresh.drained.gone) == (0, 2, 1)
    noted = rows(engine, "SELECT work_id, status, note FROM refresh_queue ORDER BY work_id = :known", known=known)
    assert [tuple(row) for row in noted] == [
        (odd, "completed", "The work has no TMDB id"),
        (known, "completed", None),
    ]


def test_two_workers_at_once_process_each_entry_once(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    execute(engine, "INSERT INTO refresh_queue (work_id) SELECT work_id FROM works")
    runs = [start_run("one"), start_run("two")]
    with ThreadPoolExecutor() as pool:
        reports = list(pool.map(lambda run: drained(run, batch_size=3), runs))

    assert min(report.completed for report in reports) > 0
    assert sum(report.completed for report in reports) == MOVIES
    assert asked(sandbox) == (0, MOVIES)
    assert set(rows(engine, "SELECT DISTINCT request_count FROM works")) == {(2,)}


def test_an_outage_leaves_the_rest_queued(
    settings: Settings, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    age(engine, ingested)
    sandbox.faults.add(Fault("/movie/[0-9]+", "status", status=503))

    with pytest.raises(TmdbOutage), open_run(settings, run_id="daily", job="test", origin="tmdb") as run:
        refreshed(run, use_changes=False)

    assert set(queue(engine)) == {"queued"}
    assert value(engine, "SELECT count(*) FROM refresh_queue WHERE retry_count > 0") <= 10
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'ingesting'") == 0


def test_a_refused_key_fails_the_run_and_no_movie(
    settings: Settings, sandbox: SandboxServer, engine: Engine, ingested: list[int]
) -> None:
    age(engine, ingested[:3])
    sandbox.faults.add(Fault("/movie/.*", "status", status=401))

    with pytest.raises(AuthenticationFailed), open_run(settings, run_id="daily", job="test", origin="tmdb") as run:
        refreshed(run)

    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'failed'") == 0
    assert queue(engine) == {"queued": 3}


@pytest.mark.parametrize("request_", [{"max_items": 0}, {"batch_size": 0}, {"max_stale": -1}])
def test_a_senseless_request_is_refused(request_: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(request_))):
        RefreshRequest(**request_)
