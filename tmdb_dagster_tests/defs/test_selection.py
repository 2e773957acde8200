"""Assets chosen one by one, in the UI or by --select: each does its own part, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from dagster import AssetKey, DagsterEventType, DagsterInstance, Definitions, ExecuteInProcessResult
from dagster._cli.asset import asset_materialize_command  # what `dagster asset materialize` runs
from sqlalchemy import Engine

from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.defs.events import failures, materializations, metadata
from tmdb_dagster_tests.warehouse.database import rows, value

Materialise = Callable[..., ExecuteInProcessResult]
SNAPSHOTS = ["popular_snapshot", "now_playing_snapshot", "trending_snapshot"]
TABLES = [
    "works",
    "movie_responses",
    "works_meta",
    "rating_sources",
    "aggregates",
    "similar_movies",
    "work_cards_cache",
]


@pytest.fixture
def materialise(
    code_location: Definitions, instance: DagsterInstance, settings_environment: dict[str, str], sandbox: SandboxServer
) -> Materialise:
    """Materialises assets by their keys, with the config of the discovery; the sandbox counts this run's calls."""

    def run(*assets: str, **config: Any) -> ExecuteInProcessResult:
        sandbox.reset()
        return code_location.resolve_implicit_global_asset_job_def().execute_in_process(
            asset_selection=[AssetKey(asset) for asset in assets],
            run_config={"ops": {"ingest_candidates": {"config": config}}} if config else {},
            instance=instance,
            raise_on_error=False,
        )

    return run


def _recorded(instance: DagsterInstance, result: ExecuteInProcessResult) -> set[str]:
    logged = instance.all_logs(result.run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION)
    keys = (entry.get_dagster_event().asset_key for entry in logged)
    return {key.to_user_string() for key in keys if key}


def _candidates(engine: Engine) -> int:
    found: int = value(engine, "SELECT count(*) FROM ingest_candidates")
    return found


def test_a_snapshot_alone_asks_its_list_and_chooses_nothing(
    materialise: Materialise, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    result = materialise("popular_snapshot", pages_per_source=2)

    assert result.success
    assert _recorded(instance, result) == {"popular_snapshot"}
    assert sandbox.stats.by_endpoint == {"/movie/popular": 2}
    assert metadata(materializations(instance, "popular_snapshot")[0])["dagster/row_count"] == 40
    assert value(engine, "SELECT count(*) FROM list_snapshots WHERE source = 'popular'") == 40
    assert _candidates(engine) == 0
    assert rows(engine, "SELECT 1 FROM ingest_batches UNION ALL SELECT 1 FROM scheduled_ingestion_log") == []


@pytest.mark.filterwarnings("ignore:Function `asset_materialize_command` is superseded")
def test_the_command_line_selects_the_same(settings_environment: dict[str, str], sandbox: SandboxServer) -> None:
    command = ["-m", "tmdb_dagster.definitions", "--select", "trending_snapshot"]
    done = CliRunner().invoke(asset_materialize_command, command, catch_exceptions=False)

    assert done.exit_code == 0
    assert sandbox.stats.by_endpoint == {"/trending/movie/week": 5}


def test_a_part_of_the_weekly_ingest_asks_for_that_part(
    code_location: Definitions,
    instance: DagsterInstance,
    engine: Engine,
    settings_environment: dict[str, str],
    sandbox: SandboxServer,
) -> None:
    result = code_location.resolve_job_def("weekly_ingest").execute_in_process(
        asset_selection=[AssetKey(key) for key in ("popular_snapshot", "candidates", "works")],
        run_config={"ops": {"ingest_candidates": {"config": {"max_movies": 2, "pages_per_source": 1}}}},
        instance=instance,
    )

    assert sandbox.stats.by_endpoint == {"/movie/popular": 1, "/movie/{id}": 2}
    assert _recorded(instance, result) == {"popular_snapshot", "candidates", "movies", "weekly_ingest", *TABLES}
    assert {row.edge_function for row in rows(engine, "SELECT edge_function FROM tmdb_api_logs")} == {"weekly_ingest"}


def test_a_snapshot_that_the_source_does_not_name_is_refused(materialise: Materialise, sandbox: SandboxServer) -> None:
    [message] = failures(materialise("popular_snapshot", source="trending").all_events)

    assert message == "source is 'trending', and the snapshots chosen are of popular alone."
    assert sandbox.stats.calls == 0


def test_candidates_alone_are_chosen_from_the_snapshots_that_are_kept(
    materialise: Materialise, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    [message] = failures(materialise("candidates").all_events)
    assert message is not None
    assert "No snapshot of popular, now_playing, trending is kept." in message
    materialise("popular_snapshot", "trending_snapshot", pages_per_source=1)

    result = materialise("candidates", max_movies=5)

    assert result.success
    assert _recorded(instance, result) == {"candidates"}
    assert sandbox.stats.calls == 0
    chosen = rows(engine, "SELECT tmdb_id, title FROM ingest_candidates ORDER BY rank")
    listed = rows(engine, "SELECT tmdb_id, title FROM list_snapshots ORDER BY rank, source")
    assert chosen == list(dict.fromkeys(listed))[:5], "one movie may be high in both lists"


def test_candidates_are_chosen_anew_from_a_newer_snapshot(materialise: Materialise, engine: Engine) -> None:
    materialise("popular_snapshot", "candidates", source="popular", pages_per_source=1, max_movies=5)
    materialise("popular_snapshot", source="popular", pages_per_source=1)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE list_snapshots SET tmdb_id = '424242', title = 'New' WHERE rank = 1 AND run_id <> "
            "(SELECT run_id FROM ingest_batches)"
        )

    materialise("candidates", source="popular", pages_per_source=1, max_movies=5)

    newest = "SELECT tmdb_id FROM ingest_candidates WHERE batch_id = (SELECT max(batch_id) FROM ingest_batches)"
    assert rows(engine, f"{newest} ORDER BY rank")[0].tmdb_id == "424242"
    materialise("popular_snapshot", "candidates", "works", source="popular", pages_per_source=1, max_movies=1)
    [log] = rows(engine, "SELECT error_message FROM scheduled_ingestion_log")
    assert log.error_message is None, "a choice that gave way to another is no failed ingest"


def test_candidates_wait_for_a_run_that_materialises_a_table(
    materialise: Materialise, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    materialise("popular_snapshot", "candidates", source="popular", pages_per_source=1, max_movies=4)

    result = materialise("works_meta")

    assert result.success
    assert sandbox.stats.by_endpoint == {"/movie/{id}": 4}
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'complete'") == 4
    assert _recorded(instance, result) == {"movies", "weekly_ingest", *TABLES}, "all tables were written"
    assert metadata(materializations(instance, "weekly_ingest")[0])["ingested"] == 4
    [row] = rows(engine, "SELECT * FROM scheduled_ingestion_log")
    assert (row.movies_ingested, row.error_message) == (4, None)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_without_waiting_candidates_records_its_rows(
    table: str, materialise: Materialise, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    result = materialise(table)

    assert result.success
    assert _recorded(instance, result) == {table}
    assert metadata(materializations(instance, table)[0])["dagster/row_count"] == 0
    assert sandbox.stats.calls == 0
    said = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert "No candidates wait: rows are counted, and TMDB is asked nothing." in said


def test_the_queue_alone_is_counted(materialise: Materialise, instance: DagsterInstance) -> None:
    result = materialise("refresh_queue")

    assert result.success
    assert _recorded(instance, result) == {"refresh_queue"}
    assert metadata(materializations(instance, "refresh_queue")[0])["queue: due"] == 0


def test_the_report_alone_is_drawn(materialise: Materialise, instance: DagsterInstance) -> None:
    result = materialise("ops_report")

    assert result.success
    assert _recorded(instance, result) == {"ops_report"}


def test_a_run_outside_of_a_job_is_told_by_its_assets(materialise: Materialise, engine: Engine) -> None:
    with engine.begin() as connection:  # what a lease says of its run, although it goes with the run
        connection.exec_driver_sql("CREATE TABLE told (job text)")
        connection.exec_driver_sql(
            "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN INSERT INTO told VALUES (NEW.job); RETURN NEW; END $$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER tell AFTER INSERT ON run_leases FOR EACH ROW EXECUTE FUNCTION tell()"
        )

    materialise("popular_snapshot", pages_per_source=1)
    materialise("trending_snapshot", "candidates", pages_per_source=1, max_movies=1)
    materialise("works")

    calls = rows(engine, "SELECT edge_function FROM tmdb_api_logs ORDER BY id")
    assert [row.edge_function for row in calls] == ["popular_snapshot", "candidates, trending_snapshot", "works"]
    told = [row.job for row in rows(engine, "SELECT job FROM told")]
    assert told == ["popular_snapshot", "candidates, trending_snapshot", "candidates", "works", "works"], "checks too"
