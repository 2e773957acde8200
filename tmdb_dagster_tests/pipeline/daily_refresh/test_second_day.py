"""Two days of a sandbox that lives: what the second shows to whoever ingested on the first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta

import orjson
import pytest
from sqlalchemy import Engine

from tmdb_dagster.clock import utc_now
from tmdb_dagster.pipeline.discover import IngestRequest, discover
from tmdb_dagster.pipeline.ingest import ingest_candidates
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.pipeline.daily_refresh.refreshing import (
    StartRun,
    age,
    asked,
    read_changes_until,
    refreshed,
)
from tmdb_dagster_tests.pipeline.enriching import ignore
from tmdb_dagster_tests.warehouse.database import rows

REQUEST = IngestRequest("popular", 30, 2)


@pytest.fixture
def today() -> date:
    return utc_now().date()


@pytest.fixture
def sandbox(today: date) -> Iterator[SandboxServer]:
    """A sandbox in which it is yesterday."""
    with SandboxServer(movies=300) as server:
        server.catalogue.today = lambda: today - timedelta(days=1)
        yield server


def test_the_second_day_has_movers_and_changes_and_a_refresh(
    start_run: StartRun, sandbox: SandboxServer, engine: Engine, today: date
) -> None:
    first = start_run("first")
    discover(first, REQUEST)
    ingest_candidates(first, [first.run_id], ignore)
    ingested = [
        int(row.tmdb_id) for row in rows(engine, "SELECT tmdb_id FROM works WHERE ingestion_status = 'complete'")
    ]
    assert len(ingested) == 30
    age(engine, ingested, days=1)
    read_changes_until(engine, today - timedelta(days=1))
    catalogue = sandbox.catalogue
    before = {one: catalogue.body(one, (), None) for one in ingested}
    catalogue.today = lambda: today
    differ = {one for one in ingested if catalogue.body(one, (), None) != before[one]}
    sandbox.reset()

    refresh, found = refreshed(start_run("daily"))

    assert 0 < len(differ) < 30
    today_too = {one: status for one, status in found.items() if one in differ}
    assert today_too == dict.fromkeys(differ, "ingested")
    assert {status for one, status in found.items() if one not in differ} <= {"unchanged"}, "changed the day before"
    assert asked(sandbox) == (refresh.queued.pages, len(found))
    one = next(iter(differ))
    [votes] = rows(
        engine, "SELECT votes_count FROM rating_sources JOIN works USING (work_id) WHERE tmdb_id = :id", id=str(one)
    )
    assert votes.votes_count == orjson.loads(catalogue.body(one, (), None).plain)["vote_count"]
    assert refreshed(start_run("again"))[1] == {}, "a day's answers do not change"

    [snapshot] = discover(start_run("second"), REQUEST).snapshots

    moves = Counter(mover.change for mover in snapshot.movers)
    assert all(moves[change] for change in ("entered", "left", "rose")), moves
    history = rows(engine, "SELECT movement FROM v_list_history WHERE run_id = 'second'")
    assert Counter(row.movement for row in history if row.movement != "same") == moves
