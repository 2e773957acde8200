"""What the UI shows of the assets and checks of a run that failed: only what it came to can be red."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance, Definitions
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from sqlalchemy import Engine

from tmdb_dagster.defs.checks import INGEST_CHECKS
from tmdb_dagster.defs.tables import MOVIE_TABLES
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import REPOSITORY
from tmdb_dagster_tests.defs.conftest import Execute, execute_job
from tmdb_dagster_tests.defs.events import materializations, metadata
from tmdb_dagster_tests.warehouse.database import execute as change
from tmdb_dagster_tests.warehouse.database import rows

LISTS = ["popular_snapshot", "candidates"]
TABLES = [table.name for table in MOVIE_TABLES]
BOTH = {"source": "popular", "max_movies": 20, "pages_per_source": 2}


@pytest.fixture
def instance(dagster_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    """Dagster on the storage of a deployment."""
    monkeypatch.setenv("DAGSTER_DATABASE_URL", dagster_database)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").symlink_to(REPOSITORY / "dagster.yaml")
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def execute(code_location: Definitions, instance: DagsterInstance, settings_environment: dict[str, str]) -> Execute:
    return partial(execute_job, code_location, instance)


def _latest_runs(instance: DagsterInstance, assets: list[str]) -> dict[str, str | None]:
    """The run whose status the UI shows at an asset that has not been materialised since."""
    found = {asset: instance.get_latest_planned_materialization_info(AssetKey(asset)) for asset in assets}
    return {asset: info.run_id if info else None for asset, info in found.items()}


def _check_results(instance: DagsterInstance) -> set[tuple[str, AssetCheckExecutionRecordStatus]]:
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(INGEST_CHECKS)
    return {(one.run_id, one.status) for one in found.values()}


def test_a_failed_discovery_leaves_tables_and_checks_as_they_were(
    execute: Execute, instance: DagsterInstance, sandbox: SandboxServer
) -> None:
    good = execute("weekly_ingest", **BOTH)
    sandbox.faults.add(Fault("/movie/popular", "status", status=404))

    failed = [execute("weekly_ingest", **BOTH).run_id for _ in range(2)]

    assert _latest_runs(instance, LISTS) == dict.fromkeys(LISTS, failed[-1])
    assert _latest_runs(instance, TABLES) == dict.fromkeys(TABLES, good.run_id)
    assert _check_results(instance) == {(good.run_id, AssetCheckExecutionRecordStatus.SUCCEEDED)}


def test_tables_that_a_failed_ingest_wrote_are_materialised_with_its_figures(
    execute: Execute, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    execute("weekly_ingest", **BOTH | {"max_movies": 1})
    listed = rows(engine, "SELECT DISTINCT ON (rank) tmdb_id FROM list_snapshots ORDER BY rank")
    unlucky = [tmdb_id for place, (tmdb_id,) in enumerate(listed) if place % 3]  # two of three, so that it is no outage
    sandbox.faults.add(Fault(f"/movie/({'|'.join(map(str, unlucky))})", "body", body="[]"))

    failed = execute("weekly_ingest", **BOTH)

    assert not failed.success
    written = [instance.get_latest_materialization_event(AssetKey(table)) for table in TABLES]
    assert {event.run_id for event in written if event} == {failed.run_id}
    figures = metadata(materializations(instance, "weekly_ingest")[0])
    assert figures["failed"] > figures["ingested"] > 0
    assert len(figures["titles failed"].records) == figures["failed"]

    change(engine, "UPDATE works SET last_refreshed_at = last_refreshed_at - interval '31 days', retry_at = NULL")
    refreshed = execute("daily_refresh")

    assert not refreshed.success
    figures = metadata(materializations(instance, "daily_refresh")[0])
    assert figures["failed"] > figures["unchanged"] > 0


def test_tables_that_a_failed_ingest_has_not_written_are_red(
    execute: Execute, instance: DagsterInstance, sandbox: SandboxServer
) -> None:
    sandbox.faults.add(Fault("/movie/[0-9]+", "status", status=503, headers={"Retry-After": "0"}))

    failed = execute("weekly_ingest", **BOTH)

    assert not failed.success
    assert _latest_runs(instance, TABLES) == dict.fromkeys(TABLES, failed.run_id)
    assert failed.run_id not in {
        event.run_id for table in TABLES if (event := instance.get_latest_materialization_event(AssetKey(table)))
    }
