"""What is kept out of the catalogue: by its owner's word, as an adult movie, by its votes or its language."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from tmdb_dagster.cli.main import main
from tmdb_dagster.pipeline.discover import Discovery, IngestRequest, discover
from tmdb_dagster.pipeline.errors import MovieFailed
from tmdb_dagster.pipeline.ingest import ingest_candidates, ingest_movie
from tmdb_dagster.pipeline.refresh import DrainRequest, RefreshRequest, drain_queue, refresh_daily
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.pipeline.enriching import enriched, ignore, some_movies
from tmdb_dagster_tests.warehouse.database import contents, execute, rows, until, value

Start = Callable[..., Run]

USUAL = {"adult": False, "vote_count": 500, "original_language": "en"}
LOG = "SELECT movies_checked, movies_skipped, movies_excluded, exclusions, movies_ingested, movies_failed FROM {}"
LAST = LOG.format("scheduled_ingestion_log") + " ORDER BY id DESC LIMIT 1"


@pytest.fixture
def settings_environment(settings_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """With the defaults of what is tested here."""
    monkeypatch.delenv("INGEST_INCLUDE_ADULT")
    return {name: text for name, text in settings_environment.items() if name != "INGEST_INCLUDE_ADULT"}


def exclude(engine: Engine, *tmdb_ids: int) -> None:
    for tmdb_id in tmdb_ids:
        execute(engine, "INSERT INTO excluded_movies (tmdb_id) VALUES (:id)", id=str(tmdb_id))


def popular(sandbox: SandboxServer, *changes: dict[str, Any]) -> list[int]:
    """TMDB's first page of the list, its first rows changed; returns the ids in their order."""
    body = json.loads(sandbox.catalogue.list_page("popular", 1).plain)
    listed = [{**row, **USUAL, **change} for row, change in zip(body["results"], (*changes, *[{}] * 20), strict=False)]
    sandbox.faults.add(Fault("/movie/popular", "patch", body={"results": listed}))
    return [row["id"] for row in listed]


def ingest(run: Run, max_movies: int = 5) -> Discovery:
    found = discover(run, IngestRequest("popular", max_movies, 1))
    ingest_candidates(run, [run.run_id], ignore)
    return found


def test_a_discovery_keeps_out_what_the_settings_and_the_owner_say_and_counts_it(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    kept_out: tuple[dict[str, Any], ...] = (
        {"adult": True},
        {"softcore": True},
        {"vote_count": 99},
        {"original_language": "ja"},
        {},
    )
    ids = popular(sandbox, *kept_out)
    exclude(engine, ids[4])
    sandbox.faults.add(Fault(r"/movie/\d+", "patch", body=USUAL))

    found = ingest(start_run(ingest_min_votes=100, ingest_languages=("en", "de")))

    assert found.candidates == 5, "who is kept out takes no place"
    assert {row.tmdb_id for row in rows(engine, "SELECT tmdb_id FROM works")} == {str(one) for one in ids[5:10]}
    [log] = rows(engine, LAST)
    reasons = {"adult": 2, "too few votes": 1, "other language": 1, "excluded by the owner": 1}
    assert tuple(log) == (20, 0, 5, reasons, 5, 0)
    assert tuple(rows(engine, LOG.format("v_run_history"))[0]) == tuple(log)


def test_the_settings_let_everything_in_but_adult_movies(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    adult, *ids = popular(sandbox, {"adult": True}, {"vote_count": 0}, {"original_language": "xx"})
    sandbox.faults.add(Fault(r"/movie/\d+", "patch", body=USUAL))

    ingest(start_run("run-1"))
    assert {row.tmdb_id for row in rows(engine, "SELECT tmdb_id FROM works")} == {str(one) for one in ids[:5]}

    ingest(start_run("run-2", ingest_include_adult=True), max_movies=1)
    assert value(engine, "SELECT count(*) FROM works WHERE tmdb_id = :id", id=str(adult)) == 1


def test_kept_snapshots_tell_who_is_kept_out_as_well(start_run: Start, sandbox: SandboxServer) -> None:
    popular(sandbox, {"adult": True}, {"vote_count": 99}, {"original_language": "ja"})
    run = start_run(ingest_min_votes=100, ingest_languages=("en",))
    discover(run, IngestRequest("popular", 20, 1), ingests=False)

    found = discover(run, IngestRequest("popular", 20, 1), asked=[], ingests=False)

    assert (found.candidates, dict(found.batch.exclusions)) == (
        17,
        {"adult": 1, "too few votes": 1, "other language": 1},
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"adult": True}, "adult"),
        ({"softcore": True}, "adult"),
        ({"vote_count": 99}, "too few votes"),
        ({"original_language": "ja"}, "other language"),
    ],
)
@pytest.mark.parametrize("by", ["discovery", "request"])
def test_what_only_its_details_tell_keeps_it_out_too(
    by: str, change: dict[str, Any], reason: str, *, start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    run = start_run(ingest_min_votes=100, ingest_languages=("en",))
    [tmdb_id, *_] = popular(sandbox)
    sandbox.faults.add(Fault(f"/movie/{tmdb_id}", "patch", body={**USUAL, **change}))
    if by == "discovery":
        ingest(run, max_movies=1)
    else:
        execute(engine, "SELECT request_movie(:id)", id=tmdb_id)
        drain_queue(run, DrainRequest(), ignore)

    assert rows(engine, "SELECT FROM works") == rows(engine, "SELECT FROM refresh_queue") == []
    [log] = rows(engine, LAST)
    assert (log.movies_excluded, log.exclusions, log.movies_ingested, log.movies_failed) == (1, {reason: 1}, 0, 0)
    answer = value(engine, "SELECT request_movie(:id)", id=tmdb_id)
    assert answer == {"status": "refused", "work_id": None, "reason": f"It is not wanted here: {reason}."}


def test_what_a_person_adds_is_bound_by_exclusions_alone(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    run = start_run(ingest_min_votes=10**6, ingest_languages=("xx",))
    for tmdb_id in (603, 550):
        sandbox.faults.add(Fault(f"/movie/{tmdb_id}", "patch", body={"adult": True}))
    execute(engine, "SELECT request_movie(603)")

    assert [ingest_movie(run, tmdb_id).status for tmdb_id in (603, 550)] == ["ingested", "ingested"]

    exclude(engine, 551)
    sandbox.reset()
    with pytest.raises(MovieFailed, match="Movie 551 is excluded"):
        ingest_movie(run, 551, force_refresh=True)
    assert sandbox.stats.calls == 0
    assert value(engine, "SELECT count(*) FROM works WHERE tmdb_id = '551'") == 0


def test_an_excluded_movie_is_neither_requested_nor_refreshed(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    run = start_run()
    tmdb_id = some_movies(sandbox, 1)[0]
    enriched(run, [tmdb_id])
    execute(engine, "INSERT INTO refresh_queue (work_id) SELECT work_id FROM works")
    execute(engine, "UPDATE works SET last_refreshed_at = now() - interval '40 days'")
    exclude(engine, tmdb_id)
    before = contents(engine, "works", "work_cards_cache")
    sandbox.reset()

    assert value(engine, "SELECT request_movie(:id)", id=tmdb_id)["status"] == "refused"
    refresh_daily(run, RefreshRequest(), ignore)
    refresh_daily(run, RefreshRequest(), ignore)

    assert sandbox.stats.by_endpoint.get("/movie/{id}", 0) == 0
    assert contents(engine, "works", "work_cards_cache") == before
    assert [tuple(row) for row in rows(engine, "SELECT status, note FROM refresh_queue")] == [
        ("completed", "excluded by the owner")
    ]
    execute(engine, "DELETE FROM excluded_movies")
    refresh_daily(run, RefreshRequest(), ignore)
    assert value(engine, "SELECT last_refreshed_at > now() - interval '1 day' FROM works") is True


@pytest.mark.parametrize("known", [True, False])
def test_a_movie_that_is_excluded_while_it_is_fetched_is_not_written(
    known: bool, start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    run = start_run()
    if known:
        ingest_movie(run, 603)
        execute(engine, "UPDATE works SET last_refreshed_at = now() - interval '40 days'")
    before = contents(engine, "works", "works_meta")
    sandbox.faults.add(Fault("/movie/603", "delay", delay_s=0.5))
    with ThreadPoolExecutor(1) as pool:
        ingested = pool.submit(ingest_movie, start_run("run-2"), 603)
        until(lambda: value(engine, "SELECT ingestion_status FROM works") == "ingesting", "its claim")
        exclude(engine, 603)

    with pytest.raises(MovieFailed, match="Movie 603 is excluded"):
        ingested.result()
    if not known:
        assert contents(engine, "works", "works_meta") == before
    assert contents(engine, "works_meta") == {"works_meta": before["works_meta"]}


def test_a_movie_that_is_deleted_while_it_is_fetched_stays_away(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    sandbox.faults.add(Fault("/movie/603", "delay", delay_s=0.5))
    with ThreadPoolExecutor(1) as pool:
        ingested = pool.submit(ingest_movie, start_run(), 603)
        until(lambda: value(engine, "SELECT ingestion_status FROM works") == "ingesting", "its claim")
        execute(engine, "DELETE FROM works")

    with pytest.raises(MovieFailed, match="removed meanwhile"):
        ingested.result()
    assert rows(engine, "SELECT FROM works") == []


def test_a_movie_that_becomes_adult_is_shown_to_the_operator_and_kept(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    def problem() -> bool:
        return "no_adult_works" in [row.name for row in rows(engine, "SELECT name FROM v_problems")]

    run = start_run()
    enriched(run, [603])
    execute(engine, "UPDATE works SET added_by = NULL")
    assert not problem()
    sandbox.faults.add(Fault("/movie/603", "patch", body={"softcore": True}))

    enriched(run, [603], force=True)
    enriched(run, [603], force=True)

    assert problem()
    assert value(engine, "SELECT ingestion_status FROM works") == "complete"
    shown = CliRunner().invoke(main, ["status"])
    assert "Adult works: 1" in shown.output
    enriched(start_run("run-2", ingest_include_adult=True), [603], force=True)
    assert not problem()
