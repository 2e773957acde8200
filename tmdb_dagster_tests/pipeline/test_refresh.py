"""A movie that is asked for again: what changes, what is kept, what is not even touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from tmdb_dagster.pipeline.ingest import ingest_movie
from tmdb_dagster.pipeline.rebuild import rebuild_from_raw
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import REMOVE, Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.tmdb.parts import PARTS
from tmdb_dagster.transform import movie as rules
from tmdb_dagster.warehouse.responses import read_response
from tmdb_dagster_tests.warehouse.database import DERIVED, contents, execute, rows, value, versions

Start = Callable[..., Run]
MADE = ("updated_at", "computed_at", "last_seen_at", "fetched_at", "created_at")


def refresh(run: Run) -> Any:
    return ingest_movie(run, 603, force_refresh=True)


def test_an_unchanged_answer_rewrites_nothing(start_run: Start, engine: Engine) -> None:
    run = start_run()
    first = ingest_movie(run, 603)
    before = versions(engine, *DERIVED)
    [work] = rows(engine, "SELECT updated_at, last_refreshed_at FROM works")

    again = refresh(run)

    assert (again.status, again.title, again.year, again.etag) == ("unchanged", first.title, first.year, first.etag)
    assert versions(engine, *DERIVED) == before
    [after] = rows(engine, "SELECT updated_at, last_refreshed_at FROM works")
    assert after.updated_at == work.updated_at
    assert after.last_refreshed_at > work.last_refreshed_at
    assert value(engine, "SELECT fetched_at FROM movie_responses") == after.last_refreshed_at


def test_an_answer_in_another_order_is_unchanged(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    run = start_run()
    ingest_movie(run, 603)
    body = run.tmdb.movie(603)
    sandbox.faults.add(Fault("/movie/603", "body", body=dict(reversed(body.items()))))

    assert refresh(run).status == "unchanged"


def test_a_change_reaches_its_columns_and_the_card(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    run = start_run()
    first = ingest_movie(run, 603)
    before = versions(engine, *DERIVED)
    sandbox.faults.add(Fault("/movie/603", "patch", body={"tagline": "Quite another."}))

    again = refresh(run)

    assert again.status == "ingested"
    assert again.etag != first.etag
    assert value(engine, "SELECT tagline FROM works_meta") == "Quite another."
    assert tuple(rows(engine, "SELECT payload ->> 'tagline', etag FROM work_cards_cache")[0]) == (
        "Quite another.",
        again.etag,
    )
    untouched = ("rating_sources", "aggregates", "similar_movies")
    after = versions(engine, *untouched)
    assert after == {table: before[table] for table in untouched}


def test_similar_movies_follow_tmdb(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    run = start_run()
    ingest_movie(run, 603)
    named = {"similar": {"results": [{"id": 11}, {"id": 12}]}, "recommendations": {"results": [{"id": 11}]}}
    sandbox.faults.add(Fault("/movie/603", "patch", body=named))

    refresh(run)

    found = rows(engine, "SELECT source, similar_tmdb_id, rank_order FROM similar_movies ORDER BY source, rank_order")
    assert [tuple(row) for row in found] == [("tmdb", "11", 1), ("tmdb", "12", 2), ("tmdb_recommendation", "11", 1)]
    assert value(engine, "SELECT similar_movie_ids FROM works_meta") == [11, 12]


def test_empty_texts_and_the_certification_are_as_the_settings_say(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    german = {"iso_639_1": "de", "iso_3166_1": "AT", "data": {"overview": "Ein Haus.", "tagline": "", "title": "Haus"}}
    releases = [{"iso_3166_1": "AT", "release_dates": [{"certification": "14", "type": 3}]}]
    answer = {
        "overview": "",
        "tagline": "",
        "translations": {"translations": [german]},
        "release_dates": {"results": releases},
    }
    sandbox.faults.add(Fault("/movie/603", "patch", body=answer))
    found = "SELECT overview, tagline, certification FROM works_meta"

    ingest_movie(start_run(), 603)
    assert tuple(rows(engine, found)[0]) == (None, None, None)

    run = start_run(tmdb_language_fallback="de-DE", tmdb_certification_country="AT")
    rebuild_from_raw(engine, run.settings, lambda _: None)
    assert tuple(rows(engine, found)[0]) == ("Ein Haus.", None, "14")
    assert value(engine, "SELECT payload ->> 'overview_short' FROM work_cards_cache") == "Ein Haus."
    with engine.begin() as connection:
        assert (read_response(connection, 1) or {})["overview"] == "", "the raw answer is as TMDB gave it"
    execute(engine, "DELETE FROM works")
    ingest_movie(run, 603)
    assert tuple(rows(engine, found)[0]) == ("Ein Haus.", None, "14")


@pytest.mark.parametrize("content", [REMOVE, {"success": False, "status_code": 11, "status_message": "Oops."}])
def test_a_part_that_is_missing_at_a_refresh_keeps_what_is_known(
    start_run: Start, engine: Engine, sandbox: SandboxServer, content: Any
) -> None:
    run = start_run()
    ingest_movie(run, 603)
    kept = contents(engine, *DERIVED, without=MADE)
    sandbox.faults.add(Fault("/movie/603", "patch", body=dict.fromkeys(PARTS, content)))

    outcome = refresh(run)

    assert outcome.status == "unchanged"
    assert all(f"{part}: missing" in outcome.message for part in PARTS)
    assert contents(engine, *DERIVED, without=MADE) == kept


def test_what_is_new_beside_a_missing_part_is_written(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    run = start_run()
    ingest_movie(run, 603)
    cast = value(engine, "SELECT cast_members FROM works_meta")
    assert cast
    sandbox.faults.add(Fault("/movie/603", "patch", body={"credits": None, "tagline": "New."}))

    assert refresh(run).status == "ingested"

    assert tuple(rows(engine, "SELECT cast_members, tagline FROM works_meta")[0]) == (cast, "New.")
    sandbox.faults.clear()
    assert refresh(run).status == "ingested", "the whole answer differs again: the tagline is back"


def test_a_part_that_is_empty_now_is_emptied(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    run = start_run()
    ingest_movie(run, 603)
    sandbox.faults.add(Fault("/movie/603", "patch", body={"credits": {"cast": [], "crew": []}}))

    refresh(run)

    assert value(engine, "SELECT cast_members FROM works_meta") == []


def test_a_new_schema_version_rewrites_an_unchanged_movie(
    start_run: Start, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start_run()
    ingest_movie(run, 603)
    version = rules.SCHEMA_VERSION + 1
    monkeypatch.setattr(rules, "SCHEMA_VERSION", version)
    monkeypatch.setattr("tmdb_dagster.pipeline.fetch.SCHEMA_VERSION", version)

    assert refresh(run).status == "ingested"
    assert value(engine, "SELECT schema_version FROM works_meta") == version


def test_two_movies_with_one_imdb_id_both_land_and_it_is_reported(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    run = start_run()
    sandbox.faults.add(Fault("/movie/(603|550)", "patch", body={"imdb_id": "tt0133093"}))
    ingest_movie(run, 603)

    outcome = ingest_movie(run, 550)

    assert outcome.status == "ingested"
    assert outcome.message == "IMDb id tt0133093 belongs to another work and was left out"
    found = rows(engine, "SELECT tmdb_id, imdb_id, ingestion_status FROM works ORDER BY tmdb_id")
    assert [tuple(row) for row in found] == [("550", None, "complete"), ("603", "tt0133093", "complete")]
    execute(engine, "DELETE FROM works WHERE tmdb_id = '603'")
