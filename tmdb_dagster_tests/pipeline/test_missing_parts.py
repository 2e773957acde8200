"""What a first answer lacks is asked for again soon, a few times."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from tmdb_dagster.pipeline.ingest import ingest_movie
from tmdb_dagster.pipeline.refresh import RefreshRequest, refresh_daily
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import REMOVE, Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.tmdb.parts import OPTIONAL_PARTS, REQUIRED_PARTS
from tmdb_dagster.warehouse.checks import problems
from tmdb_dagster_tests.pipeline.enriching import enriched, ignore
from tmdb_dagster_tests.warehouse.database import execute, rows, value

Start = Callable[..., Run]


def later(engine: Engine, hours: int) -> None:
    execute(engine, f"UPDATE works SET last_refreshed_at = last_refreshed_at - interval '{hours} hours'")


def lacking(engine: Engine) -> tuple[list[str] | None, int, bool]:
    [row] = rows(engine, "SELECT missing_parts, incomplete_answers, is_stale(work_id) AS stale FROM works")
    return row.missing_parts, row.incomplete_answers, row.stale


@pytest.mark.parametrize("part", REQUIRED_PARTS)
def test_a_part_that_a_first_answer_lacks_is_asked_for_a_day_later(
    part: str, start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    sandbox.faults.add(Fault("/movie/603", "patch", body={part: REMOVE}, times=1))
    ingest_movie(start_run(), 603)

    assert lacking(engine) == ([part], 1, False)
    with engine.begin() as connection:
        found = {problem.name: problem.text for problem in problems(connection)}
    assert f"(TMDB id 603) lacks {part}" in found["works_have_all_parts"]

    later(engine, 24)
    assert lacking(engine) == ([part], 1, True)
    assert value(engine, "SELECT sum(stale) FROM v_catalogue_health") == 1
    report = refresh_daily(start_run("daily"), RefreshRequest(use_changes=False), ignore)

    assert (report.queued.stale, report.drained.completed) == (1, 1)
    assert lacking(engine) == (None, 0, False)


@pytest.mark.parametrize("content", [REMOVE, None, {"success": False, "status_code": 11}, {"results": 5}])
def test_without_the_parts_that_may_be_missing_a_movie_is_complete(
    start_run: Start, engine: Engine, sandbox: SandboxServer, content: object
) -> None:
    sandbox.faults.add(Fault("/movie/603", "patch", body=dict.fromkeys(OPTIONAL_PARTS, content)))

    outcome = enriched(start_run(), [603])[603]

    assert outcome.status == "ingested"
    assert outcome.message == "; ".join(f"{part}: missing or malformed in TMDB's answer" for part in OPTIONAL_PARTS)
    assert lacking(engine) == (None, 0, False)
    assert value(engine, "SELECT count(*) FROM work_cards_cache") == 1


def test_a_part_that_stays_away_is_asked_for_a_few_times(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    sandbox.faults.add(Fault("/movie/603", "patch", body={"credits": REMOVE}))
    for _ in range(8):
        ingest_movie(start_run(), 603)
        later(engine, 24)

    assert sandbox.stats.calls == 5
    assert lacking(engine) == (["credits"], 5, False)


def test_a_part_that_a_refresh_lacks_is_not_missing(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    ingest_movie(start_run(), 603)
    sandbox.faults.add(Fault("/movie/603", "patch", body={"credits": REMOVE}))

    enriched(start_run(), [603], force=True)

    assert lacking(engine) == (None, 0, False)


def test_status_names_works_that_are_shown_and_gone(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    run = start_run()
    ingest_movie(run, 603)
    sandbox.faults.add(Fault("/movie/.*", "status", 404))

    enriched(run, [603, 604], force=True)

    with engine.begin() as connection:
        found = {problem.name: problem.text for problem in problems(connection)}
    assert "Shown works that are gone: 1, such as" in found["no_shown_work_gone"]
    assert "(TMDB id 603)" in found["no_shown_work_gone"]
