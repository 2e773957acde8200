"""One answer to every movie is an outage: the run ends, and what was complete stays so."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from tmdb_dagster.pipeline.discover import IngestRequest, discover
from tmdb_dagster.pipeline.errors import ChangesUnavailable, ListsUnavailable, TmdbOutage
from tmdb_dagster.pipeline.ingest import PageRequest, ingest_page
from tmdb_dagster.pipeline.outage import OUTAGE
from tmdb_dagster.pipeline.outcome import MovieOutcome
from tmdb_dagster.pipeline.refresh import RefreshRequest, refresh_daily
from tmdb_dagster.pipeline.run import Run, open_run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import Settings
from tmdb_dagster_tests.pipeline.enriching import enriched, ignore, some_movies
from tmdb_dagster_tests.warehouse.database import DERIVED, contents, execute, rows, value

Start = Callable[..., Run]

GONE = Fault("/movie/.*", "status", 404)
ANSWERS = {
    "TMDB is down": Fault("/movie/.*", "status", 503),
    "a firewall": Fault("/movie/.*", "status", 403, body="<h1>Request blocked</h1>"),
    "a portal": Fault("/movie/.*", "status", 302, body=""),
    "a proxy that wants a password": Fault("/movie/.*", "html", 407),
    "a court's order": Fault("/movie/.*", "status", 451, body="<h1>Unavailable</h1>"),
    "another server's 404": Fault("/movie/.*", "html", 404),
    "an empty object": Fault("/movie/.*", "body", body={}),
    "no success": Fault("/movie/.*", "body", body={"success": False, "status_code": 11, "status_message": "Oh."}),
    "null": Fault("/movie/.*", "body", body="null"),
    "no body": Fault("/movie/.*", "body", body=""),
    "TMDB refuses how we ask": Fault("/movie/.*", "status", 400),
}
STRANGE = pytest.mark.parametrize("fault", ANSWERS.values(), ids=ANSWERS)
STRANGE_OR_GONE = pytest.mark.parametrize("fault", [*ANSWERS.values(), GONE], ids=[*ANSWERS, "TMDB's own 404"])


def ended_by_outage(settings: Settings, act: Callable[[Run], object]) -> None:
    """Expect it, with all that the end of a run gives back."""
    with (
        pytest.raises(TmdbOutage, match=f"none of the last {OUTAGE} movies"),
        open_run(settings, run_id="outage", job="test", origin="tmdb") as run,
    ):
        act(run)


def statuses(engine: Engine) -> dict[str, int]:
    return dict(map(tuple, rows(engine, "SELECT ingestion_status, count(*) FROM works GROUP BY 1")))


@STRANGE
def test_an_outage_ends_the_run_instead_of_failing_new_movies(
    fault: Fault, settings: Settings, engine: Engine, sandbox: SandboxServer
) -> None:
    sandbox.faults.add(fault)

    ended_by_outage(settings, lambda run: enriched(run, some_movies(sandbox, 60)))

    assert statuses(engine) == {"failed": OUTAGE}, "those after them are as they were: not in works"


@STRANGE_OR_GONE
def test_an_outage_changes_no_complete_work(
    fault: Fault, settings: Settings, start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    ids = some_movies(sandbox, 30)
    enriched(start_run(), ids)
    kept = contents(engine, "works", *DERIVED, "movie_responses")
    sandbox.faults.add(fault)

    ended_by_outage(settings, lambda run: ingest_page(run, PageRequest(limit=50, force_refresh=True), ignore))

    assert contents(engine, "works", *DERIVED, "movie_responses") == kept
    sandbox.faults.clear()
    assert {outcome.status for outcome in enriched(start_run(), ids, force=True).values()} == {"unchanged"}


def test_a_refresh_in_an_outage_asks_for_its_movies_again_later(
    settings: Settings, start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    """The ten that met the outage wait, so that the same ten do not end every run while others are well."""
    ids = some_movies(sandbox, 25)
    enriched(start_run(), ids)
    execute(engine, "UPDATE works SET last_refreshed_at = now() - interval '60 days'")
    sandbox.faults.add(GONE)

    ended_by_outage(settings, lambda run: refresh_daily(run, RefreshRequest(use_changes=False), ignore))

    assert statuses(engine) == {"complete": 25}
    assert value(engine, "SELECT count(*) FROM works WHERE gone_at IS NOT NULL") == 0
    assert value(engine, "SELECT count(*) FROM refresh_queue WHERE retry_count = 1 AND due_at > now()") == OUTAGE
    assert value(engine, "SELECT count(*) FROM refresh_queue WHERE retry_count = 0 AND status = 'queued'") == 15
    [log] = rows(engine, "SELECT * FROM scheduled_ingestion_log WHERE source = 'refresh'")
    assert (log.movies_failed, "none of the last" in log.error_message) == (OUTAGE, True)


def test_404s_of_movies_that_were_not_complete_are_no_outage(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    """New, failed and gone ones: a list of ids may well be out of date."""
    ids = some_movies(sandbox, 45)
    enriched(start_run(), ids[:30])
    execute(engine, "UPDATE works SET ingestion_status = 'failed'")
    execute(engine, "UPDATE works SET gone_at = now() WHERE work_id % 2 = 0")
    sandbox.faults.add(GONE)

    outcomes = enriched(start_run(), ids)

    assert [outcome.status for outcome in outcomes.values()] == ["gone"] * 45


def test_404s_of_movies_that_were_not_complete_do_not_end_the_count(
    settings: Settings, start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    ids = some_movies(sandbox, 40)
    complete, new = ids[:20], ids[20:]
    enriched(start_run(), complete)
    sandbox.faults.add(GONE)
    mixed = [tmdb_id for pair in zip(complete, new, strict=True) for tmdb_id in pair]
    one_by_one = settings.model_copy(update={"tmdb_concurrency": 1})

    ended_by_outage(one_by_one, lambda run: enriched(run, mixed, force=True))

    assert statuses(engine)["complete"] == 20
    assert value(engine, "SELECT count(*) FROM works WHERE gone_at IS NOT NULL AND last_refreshed_at IS NOT NULL") == 0


def test_failures_between_successes_are_no_outage(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    ids = some_movies(sandbox, 40)
    enriched(start_run(), ids)
    sandbox.faults.add(Fault(f"/movie/({'|'.join(map(str, ids[:20]))})", "status", 404))
    alternating = [tmdb_id for pair in zip(ids[:20], ids[20:], strict=True) for tmdb_id in pair]

    outcomes = enriched(start_run(tmdb_concurrency=1), alternating, force=True)

    assert [outcomes[tmdb_id].status for tmdb_id in alternating] == ["gone", "unchanged"] * 20
    assert statuses(engine) == {"failed": 20, "complete": 20}


def test_fewer_failures_than_an_outage_has_are_the_movies_own(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    ids = some_movies(sandbox, OUTAGE - 1)
    enriched(start_run(), ids)
    kept = contents(engine, *DERIVED, "movie_responses")
    sandbox.faults.add(GONE)

    outcomes = enriched(start_run(), ids, force=True)

    assert [outcome.status for outcome in outcomes.values()] == ["gone"] * len(ids)
    assert value(engine, "SELECT count(*) FROM works WHERE gone_at IS NOT NULL") == len(ids)
    assert contents(engine, *DERIVED, "movie_responses") == kept, "readers see them as before"


@STRANGE_OR_GONE
def test_the_feed_of_changes_is_read_again_after_an_outage(
    fault: Fault, start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    enriched(start_run(), some_movies(sandbox, 3))
    sandbox.faults.add(fault)
    settled: list[MovieOutcome] = []

    with pytest.raises(ChangesUnavailable):
        refresh_daily(start_run(), RefreshRequest(), settled.extend)

    assert (settled, rows(engine, "SELECT 1 FROM sync_state WHERE sync_type = 'daily_refresh'")) == ([], [])


@STRANGE_OR_GONE
def test_lists_of_an_outage_are_no_lists(
    fault: Fault, start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    sandbox.faults.add(fault)

    with pytest.raises(ListsUnavailable):
        discover(start_run(), IngestRequest("popular", 20, 2))

    assert rows(engine, "SELECT 1 FROM list_snapshots") == []
