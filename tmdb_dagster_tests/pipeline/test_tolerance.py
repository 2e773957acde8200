"""A takeover lets NOT NULLs and CHECKs of the old system stand where the pipeline's rows are said to satisfy them."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine

from tmdb_dagster.pipeline.discover import IngestRequest, discover
from tmdb_dagster.pipeline.ingest import ingest_candidates
from tmdb_dagster.pipeline.refresh import RefreshRequest, refresh_daily
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.warehouse.takeover.tolerance import ALWAYS_WRITTEN, WRITTEN_VALUES
from tmdb_dagster_tests.pipeline.enriching import enriched, ignore
from tmdb_dagster_tests.warehouse.database import execute, rows


def test_all_that_is_written_satisfies_what_is_tolerated(
    start_run: Callable[..., Run], engine: Engine, sandbox: SandboxServer
) -> None:
    for table, columns in ALWAYS_WRITTEN.items():
        for column in columns.split():
            execute(engine, f"ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL")
    for (table, column), values in WRITTEN_VALUES.items():
        listed = ", ".join(f"'{value}'" for value in values)
        execute(engine, f"ALTER TABLE {table} ADD CHECK ({column} IN ({listed}))")
    run = start_run()
    first, second, third = sandbox.catalogue.ids[:3]
    enriched(run, [first])
    sandbox.faults.add(Fault(f"/movie/{second}", "drop", times=1))
    sandbox.faults.add(Fault(f"/movie/{third}", "status", status=404))

    enriched(run, [second, third])
    discover(run, IngestRequest("all", 2, 1))
    ingest_candidates(run, [run.run_id], ignore)
    refresh_daily(run, RefreshRequest(), ignore)
    run.api_log.close()

    assert [row.source for row in rows(engine, "SELECT source FROM scheduled_ingestion_log ORDER BY id")] == [
        "mixed",
        "refresh",
    ]
    assert rows(engine, "SELECT FROM tmdb_api_logs WHERE http_status = 0")
    assert rows(engine, "SELECT FROM sync_state WHERE last_sync_cursor IS NOT NULL")
