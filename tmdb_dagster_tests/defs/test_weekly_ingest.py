from __future__ import annotations

import pytest
from dagster import (
    AssetCheckKey,
    AssetKey,
    AssetMaterialization,
    DagsterInstance,
    Definitions,
    FloatMetadataValue,
    IntMetadataValue,
    TableSchema,
)
from sqlalchemy import Engine, text

from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.defs.conftest import Execute
from tmdb_dagster_tests.defs.events import materializations, metadata, observations, warnings_in

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

    ingest = metadata(materializations(instance, "weekly_ingest")[0])
    candidates = metadata(materializations(instance, "candidates")[0])
    assert (ingest["ingested"], ingest["failed"], ingest["already complete"], ingest["TMDB calls"]) == (4, 0, 0, 4)
    assert (candidates["dagster/row_count"], candidates["TMDB calls"], candidates["resumed"]) == (4, 3, False)
    assert ingest["refused by the rate limit (429)"] == ingest["retries"] == 0


FIGURES = {
    "TMDB calls",
    "retries",
    "refused by the rate limit (429)",
    "call errors",
    "error rate (%)",
    "latency p50 (ms)",
    "latency p95 (ms)",
    "bytes received",
}


def _numbers(materialization: AssetMaterialization) -> set[str]:
    """What the UI can plot."""
    shown = materialization.metadata.items()
    return {name for name, value in shown if isinstance(value, IntMetadataValue | FloatMetadataValue)}


def test_figures_can_be_plotted_and_have_the_same_names_in_every_run(
    execute: Execute, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    execute("weekly_ingest", source="popular", max_movies=3, pages_per_source=1)
    sandbox.faults.add(Fault("/movie/[0-9]+", "status", status=429, headers={"Retry-After": "0"}, times=2))
    execute("weekly_ingest", source="popular", max_movies=5, pages_per_source=1)

    for asset, own in {
        "popular_snapshot": {"dagster/row_count", "pages", "failed pages", "entered", "left", "rose", "fell"},
        "candidates": {
            *("dagster/row_count", "movies checked", "movies skipped", "movies excluded", "failed pages"),
            "duration (s)",
        },
        "weekly_ingest": {
            *(
                "movies checked",
                "movies skipped",
                "ingested",
                "unchanged",
                "already complete",
                "failed",
                "busy",
                "movies excluded",
            ),
            *("duration (s)", "movies a second", "images fetched", "image bytes"),
        },
    }.items():
        second, first = map(_numbers, materializations(instance, asset))
        assert first == second == FIGURES | own, asset
    movies = list(map(_numbers, materializations(instance, "movies")))
    assert movies == [{"calls", "retries", "milliseconds", "year", "work_id"}] * 8
    ingest = metadata(materializations(instance, "weekly_ingest")[0])
    assert (ingest["ingested"], ingest["TMDB calls"], ingest["retries"]) == (5, 7, 2)
    assert (ingest["refused by the rate limit (429)"], ingest["call errors"]) == (2, 2)
    assert ingest["error rate (%)"] == 28.6, "2 of 7, rounded"
    assert ingest["latency p50 (ms)"] <= ingest["latency p95 (ms)"]
    with engine.begin() as connection:
        received = connection.scalar(
            text("SELECT sum(response_size_bytes) FROM tmdb_api_logs WHERE metadata ->> 'run_id' = :run"),
            {"run": instance.get_runs()[0].run_id},
        )
    candidates = metadata(materializations(instance, "candidates")[0])
    assert candidates["bytes received"] + ingest["bytes received"] == received


def test_tables_name_the_movies_and_the_reasons(
    execute: Execute, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    sandbox.faults.add(Fault("/movie/[0-9]+", "body", body="[]", times=1))

    result = execute("weekly_ingest", source="popular", max_movies=4, pages_per_source=1)

    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags["movies"] == "3 of 4, 1 failed", "the list of runs says so"
    ingest = metadata(materializations(instance, "weekly_ingest")[0])
    with engine.begin() as connection:
        found = connection.execute(
            text("SELECT tmdb_id::int, title || coalesce(' (' || year || ')', ''), ingestion_error FROM works")
        ).all()
    ingested = {row.data["tmdb_id"]: row.data["title"] for row in ingest["titles ingested"].records}
    assert ingested == {tmdb_id: title for tmdb_id, title, error in found if error is None}
    (failed,) = [row.data for row in ingest["titles failed"].records]
    assert (failed["tmdb_id"], failed["reason"]) == next((row[0], row[2]) for row in found if row[2])
    (observed,) = observations(instance, "movies")
    assert observed.partition == str(failed["tmdb_id"])
    assert metadata(observed)["reason"] == failed["reason"]
    assert observed.partition in instance.get_dynamic_partitions("movies"), "a work that was never ingested has one"
    (endpoint,) = [row.data for row in ingest["calls by endpoint"].records]
    assert (endpoint["endpoint"], endpoint["calls"], endpoint["errors"]) == ("/movie/{id}", 4, 0)


def test_top_errors_are_told(execute: Execute, instance: DagsterInstance, sandbox: SandboxServer) -> None:
    sandbox.faults.add(Fault("/movie/[0-9]+", "status", status=503, headers={"Retry-After": "0"}, times=2))

    execute("weekly_ingest", source="popular", max_movies=2, pages_per_source=1)

    errors = [row.data for row in metadata(materializations(instance, "weekly_ingest")[0])["top errors"].records]
    assert sum(error["calls"] for error in errors) == 2
    assert all("/movie/{id}: TMDB answered 503" in error["error"] for error in errors)


def test_a_snapshot_says_who_moved_since_the_last(
    execute: Execute, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    execute("weekly_ingest", source="popular", max_movies=1, pages_per_source=1)
    first = metadata(materializations(instance, "popular_snapshot")[0])
    with engine.begin() as connection:
        connection.execute(text("UPDATE list_snapshots SET tmdb_id = '1', title = 'Forgotten' WHERE rank = 3"))

    execute("weekly_ingest", source="popular", max_movies=1, pages_per_source=1)

    second = metadata(materializations(instance, "popular_snapshot")[0])
    movers = [row.data for row in second["movers"].records]
    assert "movers" not in first
    assert (first["entered"], second["entered"], second["left"], second["rose"]) == (0, 1, 1, 0)
    assert [(mover["change"], mover["rank_before"], mover["rank_now"]) for mover in movers] == [
        ("entered", None, 3),
        ("left", 3, None),
    ]
    assert movers[1]["title"] == "Forgotten"


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

    result = execute("data_quality")

    evaluations = {evaluation.asset_check_key: evaluation for evaluation in result.get_asset_check_evaluations()}
    evaluation = evaluations[AssetCheckKey(AssetKey("works"), "refreshed_within_six_months")]
    assert evaluation.passed is passed
    assert evaluation.metadata["works older than six months"].value == (0 if passed else 1)
    assert result.success
