from __future__ import annotations

import pytest
from dagster import AssetCheckKey, AssetKey, DagsterInstance, Definitions, TableSchema
from sqlalchemy import Engine, text

from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.defs.conftest import Execute
from tmdb_dagster_tests.defs.events import materializations, metadata, warnings_in

TABLES = [
    "works",
    "movie_responses",
    "works_meta",
    "rating_sources",
    "aggregates",
    "similar_movies",
    "work_cards_cache",
]
SNAPSHOTS = ["popular_snapshot", "now_playing_snapshot", "trending_snapshot"]


def _movies_with_cards(engine: Engine) -> dict[str, dict[str, object]]:
    with engine.begin() as connection:
        rows = connection.execute(
            text("SELECT tmdb_id, work_id, title, year, etag FROM works JOIN work_cards_cache USING (work_id)")
        )
        return {row.tmdb_id: {"title": row.title, "year": row.year, "card etag": row.etag} for row in rows}


def test_one_run_materialises_the_partition_of_every_movie(
    execute: Execute, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    result = execute("weekly_ingest", max_movies=8, pages_per_source=1)

    stored = _movies_with_cards(engine)
    recorded = {one.partition: metadata(one) for one in materializations(instance, "movies")}
    assert result.success
    assert len(instance.get_runs()) == 1
    assert len(stored) == 8
    assert set(recorded) == set(stored) == set(instance.get_dynamic_partitions("movies"))
    for tmdb_id, shown in recorded.items():
        assert {name: shown[name] for name in stored[str(tmdb_id)]} == stored[str(tmdb_id)]
        assert (shown["status"], shown["calls"]) == ("ingested", 1)
        assert isinstance(shown["milliseconds"], int)
    assert warnings_in(instance, result.run_id) == []
    assert sandbox.stats.calls == 3 + 8, "one call a list page and one a movie"


def test_tables_show_their_row_counts_and_columns(
    execute: Execute, code_location: Definitions, instance: DagsterInstance, engine: Engine
) -> None:
    execute("weekly_ingest", max_movies=4, pages_per_source=1)

    graph = code_location.resolve_asset_graph()
    for table in TABLES:
        with engine.begin() as connection:
            rows = connection.scalar(text(f"SELECT count(*) FROM {table}"))
            columns = connection.scalars(
                text(
                    "SELECT column_name FROM information_schema.columns "
                    "WHERE table_name = :table ORDER BY ordinal_position"
                ),
                {"table": table},
            ).all()
        (shown,) = materializations(instance, table)
        described = graph.get(AssetKey(table)).metadata
        schema = described["dagster/column_schema"]
        assert rows
        assert metadata(shown)["dagster/row_count"] == rows
        assert described["dagster/table_name"] == table
        assert isinstance(schema, TableSchema)
        assert {column.name for column in schema.columns} == set(columns)
        assert all(column.type and column.description for column in schema.columns)


def test_the_run_as_a_whole_says_what_it_did(
    execute: Execute, instance: DagsterInstance, sandbox: SandboxServer
) -> None:
    execute("weekly_ingest", max_movies=4, pages_per_source=1)

    works = metadata(materializations(instance, "works")[0])
    candidates = metadata(materializations(instance, "candidates")[0])
    assert (works["ingested"], works["failed"], works["already complete"], works["TMDB calls"]) == (4, 0, 0, 4)
    assert (candidates["dagster/row_count"], candidates["TMDB calls"], candidates["resumed"]) == (4, 3, False)
    assert works["refused by the rate limit (429)"] == works["retries"] == 0


@pytest.mark.parametrize(
    ("source", "lists"),
    [
        ("popular", ["popular_snapshot"]),
        ("mixed_daily", ["now_playing_snapshot", "trending_snapshot"]),
        ("mixed_weekly", ["popular_snapshot", "trending_snapshot"]),
    ],
)
def test_only_the_lists_asked_for_are_materialised(
    source: str, lists: list[str], execute: Execute, instance: DagsterInstance, engine: Engine
) -> None:
    result = execute("weekly_ingest", source=source, max_movies=1, pages_per_source=2)

    assert result.success
    assert [asset for asset in SNAPSHOTS if materializations(instance, asset)] == lists
    with engine.begin() as connection:
        for asset in lists:
            shown = metadata(materializations(instance, asset)[0])
            rows = connection.scalar(
                text("SELECT count(*) FROM list_snapshots WHERE source = :source"),
                {"source": asset.removesuffix("_snapshot")},
            )
            assert (shown["dagster/row_count"], shown["pages"]) == (rows, 2)
            assert rows


def test_a_second_run_skips_what_is_there(
    execute: Execute, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    execute("weekly_ingest", source="popular", max_movies=20, pages_per_source=1)
    before = _movies_with_cards(engine)
    sandbox.reset()

    again = execute("weekly_ingest", source="popular", max_movies=20, pages_per_source=1)

    assert again.success
    assert sandbox.stats.calls == 1, "the list, and no movie"
    assert _movies_with_cards(engine) == before
    assert len(materializations(instance, "movies")) == 20
    with engine.begin() as connection:
        log = connection.execute(
            text("SELECT movies_checked, movies_skipped, movies_ingested FROM scheduled_ingestion_log ORDER BY id")
        ).all()
    assert [tuple(row) for row in log] == [(20, 0, 20), (20, 20, 0)]


def test_the_log_says_what_started_a_run(execute: Execute, engine: Engine) -> None:
    execute("weekly_ingest", source="popular", max_movies=1, pages_per_source=1)
    execute("weekly_ingest", source="trending", max_movies=1, pages_per_source=1, trigger_type="scheduled")

    with engine.begin() as connection:
        log = connection.execute(text("SELECT source, trigger_type FROM scheduled_ingestion_log ORDER BY id")).all()
    assert [tuple(row) for row in log] == [("popular", "manual"), ("trending", "scheduled")]


@pytest.mark.parametrize(("age", "passed"), [("5 months", True), ("7 months", False)])
def test_data_older_than_six_months_shows_in_a_check(age: str, passed: bool, execute: Execute, engine: Engine) -> None:
    execute("weekly_ingest", source="popular", max_movies=3, pages_per_source=1)
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE works SET last_refreshed_at = now() - CAST(:age AS interval) "
                "WHERE work_id = (SELECT min(work_id) FROM works)"
            ),
            {"age": age},
        )

    result = execute("weekly_ingest", source="popular", max_movies=1, pages_per_source=1)

    evaluations = {evaluation.asset_check_key: evaluation for evaluation in result.get_asset_check_evaluations()}
    evaluation = evaluations[AssetCheckKey(AssetKey("works"), "refreshed_within_six_months")]
    assert evaluation.passed is passed
    assert evaluation.metadata["works older than six months"].value == (0 if passed else 1)
    assert result.success, "old data is a warning: new movies are ingested all the same"
