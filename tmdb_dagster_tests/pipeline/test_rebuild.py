from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from tmdb_dagster.pipeline import rebuild
from tmdb_dagster.pipeline.ingest import ingest_movie
from tmdb_dagster.pipeline.rebuild import CHUNK, Rebuilt, rebuild_from_raw
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import Settings
from tmdb_dagster.tmdb.parts import OPTIONAL_PARTS
from tmdb_dagster.transform import movie as rules
from tmdb_dagster.transform.score import DEFAULT_PRIOR, METHOD_V2
from tmdb_dagster_tests.pipeline.enriching import enriched, some_movies
from tmdb_dagster_tests.warehouse.database import DERIVED, contents, execute, rows, value, versions

Start = Callable[..., Run]
# What tells one writing from another, and not what was written.
MADE = ("updated_at", "computed_at", "last_seen_at", "created_at", "id", "rating_id")


@pytest.fixture
def ids(start_run: Start, sandbox: SandboxServer) -> list[int]:
    """A catalogue of more movies than a chunk holds; the TMDB ids."""
    ids = some_movies(sandbox, CHUNK + 5)
    assert {outcome.status for outcome in enriched(start_run(), ids).values()} == {"ingested"}
    sandbox.reset()
    return ids


def rebuilt(engine: Engine, settings: Settings, tmdb_ids: list[int] | None = None) -> tuple[int, dict[int, str]]:
    """How many works were rebuilt, and the problems with others."""
    results: list[Rebuilt] = []
    rebuild_from_raw(engine, settings, results.append, tmdb_ids)
    return sum(len(one.work_ids) for one in results), {k: text for one in results for k, text in one.problems.items()}


def test_a_rebuild_rewrites_nothing_where_all_is_well(
    ids: list[int], engine: Engine, settings: Settings, sandbox: SandboxServer
) -> None:
    before = versions(engine, *DERIVED, "works", "movie_responses")

    assert rebuilt(engine, settings) == (len(ids), {})

    assert versions(engine, *DERIVED, "works", "movie_responses") == before
    assert sandbox.stats.calls == 0


def test_deleted_rows_come_back_exactly(
    ids: list[int], engine: Engine, settings: Settings, sandbox: SandboxServer
) -> None:
    before = contents(engine, *DERIVED, without=MADE)
    works = contents(engine, "works", without=MADE)
    for table in DERIVED:
        execute(engine, f"DELETE FROM {table}")
    execute(engine, "UPDATE works SET title = 'lost', imdb_id = NULL, year = NULL, release_date = NULL")

    assert rebuilt(engine, settings) == (len(ids), {})

    assert contents(engine, *DERIVED, without=MADE) == before
    assert contents(engine, "works", without=MADE) == works
    assert sandbox.stats.calls == 0


def test_processes_rebuild_the_same(
    ids: list[int], engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "IN_THIS_PROCESS", 0)
    broken = {"id": ids[1], "title": ""}
    execute(
        engine,
        "UPDATE movie_responses SET body = :body FROM works w WHERE w.work_id = movie_responses.work_id "
        "AND tmdb_id = :tmdb_id",
        body=gzip.compress(json.dumps(broken).encode()),
        tmdb_id=str(ids[1]),
    )
    execute(engine, "UPDATE works_meta SET overview = 'lost'")
    execute(engine, "UPDATE work_cards_cache SET etag = NULL")

    count, problems = rebuilt(engine, settings)

    assert (count, list(problems)) == (len(ids) - 1, [ids[1]])
    lost = (
        "SELECT count(*) FROM works_meta JOIN work_cards_cache USING (work_id) WHERE overview = 'lost' OR etag IS NULL"
    )
    assert value(engine, lost) == 1


def test_after_unchanged_refreshes_the_cards_stay_as_they_are(
    ids: list[int], engine: Engine, settings: Settings, start_run: Start
) -> None:
    assert ingest_movie(start_run("run-2"), ids[0], force_refresh=True).status == "unchanged"
    before = versions(engine, "work_cards_cache", "aggregates", "similar_movies", "rating_sources")

    rebuilt(engine, settings)

    assert versions(engine, "work_cards_cache", "aggregates", "similar_movies", "rating_sources") == before


def test_a_new_rule_reaches_every_work_and_ends_their_staleness(
    ids: list[int], engine: Engine, settings: Settings, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = rules.SCHEMA_VERSION + 1
    monkeypatch.setattr(rules, "SCHEMA_VERSION", version)
    monkeypatch.setattr(rules, "overview_short", lambda overview: (overview or "")[:5] or None)
    execute(
        engine,
        "CREATE OR REPLACE FUNCTION current_schema_version() RETURNS integer LANGUAGE sql IMMUTABLE "
        f"AS 'SELECT {version}'",
    )
    stale = "SELECT count(*) FROM works WHERE is_stale(work_id)"
    assert value(engine, stale) == len(ids)
    refreshed = contents(engine, "works")
    etags = {row.etag for row in rows(engine, "SELECT etag FROM work_cards_cache")}

    assert rebuilt(engine, settings) == (len(ids), {})

    assert value(engine, stale) == 0
    assert value(engine, "SELECT max(length(overview_short)) FROM works_meta") == 5
    assert {row.schema_version for row in rows(engine, "SELECT schema_version FROM works_meta")} == {version}
    assert contents(engine, "works") == refreshed, "a rebuild is no refresh"
    described = rows(
        engine, "SELECT c.etag FROM work_cards_cache c JOIN works_meta USING (work_id) WHERE overview <> ''"
    )
    assert etags.isdisjoint(row.etag for row in described)
    assert sandbox.stats.calls == 0


def test_a_catalogue_that_has_grown_scores_all_movies_by_its_own_mean(
    ids: list[int], engine: Engine, settings: Settings
) -> None:
    execute(
        engine,
        """WITH added AS (INSERT INTO works (tmdb_id, title) SELECT 'x' || n, 'x' FROM generate_series(1, 1000) n
        RETURNING work_id) INSERT INTO rating_sources (work_id, source_name, value_raw, votes_count)
        SELECT work_id, 'TMDB', 9.5, 1000 FROM added""",
    )
    scores = "SELECT work_id, method_version, ai_score FROM aggregates ORDER BY 1, 2"
    before = {tuple(row)[:2]: row.ai_score for row in rows(engine, scores)}

    rebuilt(engine, settings)

    after = {tuple(row)[:2]: row.ai_score for row in rows(engine, scores)}
    assert value(engine, "SELECT mean FROM score_prior") > DEFAULT_PRIOR.mean + 2
    for key, score in after.items():
        if key[1] == METHOD_V2:
            assert score > before[key]
        else:
            assert score == before[key]


def test_an_answer_of_before_the_newer_parts_loses_nothing(
    ids: list[int], engine: Engine, settings: Settings, sandbox: SandboxServer
) -> None:
    """As a program of the release before stores it, when it refreshes a movie beside this one."""
    before = contents(engine, *DERIVED, without=MADE)
    for row in rows(engine, "SELECT work_id, body FROM movie_responses"):
        body = json.loads(gzip.decompress(row.body))
        old = {key: part for key, part in body.items() if key not in OPTIONAL_PARTS}
        execute(
            engine,
            "UPDATE movie_responses SET body = :body WHERE work_id = :id",
            body=gzip.compress(json.dumps(old).encode()),
            id=row.work_id,
        )
    execute(engine, "UPDATE similar_movies SET title = NULL, year = NULL, poster_url = NULL WHERE source = 'tmdb'")
    execute(engine, "UPDATE work_cards_cache SET payload = payload - 'similar_movies', etag = 'before'")

    assert rebuilt(engine, settings) == (len(ids), {})

    assert contents(engine, *DERIVED, without=MADE) == before
    assert value(engine, "SELECT count(*) FROM works_meta WHERE external_ids ->> 'imdb_id' LIKE 'tt%'") > 0
    assert value(engine, "SELECT count(*) FROM similar_movies WHERE source = 'tmdb_recommendation'") > 0
    assert sandbox.stats.calls == 0


def test_some_works_only(ids: list[int], engine: Engine, settings: Settings) -> None:
    execute(engine, "DELETE FROM work_cards_cache")

    assert rebuilt(engine, settings, [ids[0], ids[-1], 999_999_999]) == (2, {})

    found = rows(engine, "SELECT tmdb_id FROM work_cards_cache JOIN works USING (work_id)")
    assert {row.tmdb_id for row in found} == {str(ids[0]), str(ids[-1])}
    assert rebuilt(engine, settings, []) == (0, {})


def test_an_answer_that_no_rule_can_use_costs_its_own_work(ids: list[int], engine: Engine, settings: Settings) -> None:
    execute(
        engine,
        "UPDATE movie_responses SET body = :body FROM works WHERE works.work_id = movie_responses.work_id "
        "AND tmdb_id = :tmdb_id",
        body=gzip.compress(json.dumps({"id": ids[1], "title": ""}).encode()),
        tmdb_id=str(ids[1]),
    )
    kept = contents(engine, *DERIVED)

    count, problems = rebuilt(engine, settings)

    assert (count, list(problems)) == (len(ids) - 1, [ids[1]])
    assert contents(engine, *DERIVED) == kept


def test_clashing_imdb_ids_stay_with_their_owner(
    start_run: Start, engine: Engine, settings: Settings, sandbox: SandboxServer
) -> None:
    run = start_run()
    sandbox.faults.add(Fault("/movie/(603|550)", "patch", body={"imdb_id": "tt0000001"}))
    ingest_movie(run, 603)
    ingest_movie(run, 550)
    owners = "SELECT tmdb_id FROM works WHERE imdb_id = 'tt0000001'"

    rebuilt(engine, settings)
    assert [row.tmdb_id for row in rows(engine, owners)] == ["603"]

    execute(engine, "DELETE FROM works WHERE tmdb_id = '603'")
    rebuilt(engine, settings)
    assert [row.tmdb_id for row in rows(engine, owners)] == ["550"]
