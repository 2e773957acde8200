"""A night with failures, as the daemon would run it: what a person finds in the UI in the morning."""

from __future__ import annotations

import os
from typing import Any

from dagster import DagsterInstance, JobExecutionResult, execute_job
from dagster._core.definitions.reconstruct import ReconstructableRepository

from tmdb_dagster.sandbox.faults import Fault, FaultPlan
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster_tests.warehouse.database import execute

MOVIES = 12
LOST = 2
"""Of these, in the second ingest."""


def a_night_with_failures(instance: DagsterInstance, faults: FaultPlan) -> str:
    """Run every job that the pages show, on the catalogue of the environment.

    Returns the id of an ingest whose lists could not be fetched.
    """

    def run(job: str, **config: Any) -> JobExecutionResult:
        op = "ingest_candidates" if job == "weekly_ingest" else job
        # As `dagster job execute` does: such a run is on the timeline.
        return execute_job(
            ReconstructableRepository.for_module("tmdb_dagster.definitions", "defs").get_reconstructable_job(job),
            instance,
            run_config={"ops": {op: {"config": config}}} if config else {},
        )

    assert run("weekly_ingest", max_movies=MOVIES // 2, pages_per_source=1).success
    faults.add(Fault("/movie/[0-9]+", "body", body="[]", times=LOST))
    faults.add(Fault("/t/p/.*", "status", status=404, times=3))
    assert run("weekly_ingest", max_movies=MOVIES // 2, pages_per_source=2).success
    engine = connect(os.environ["DATABASE_URL"])
    execute(engine, "UPDATE works SET last_refreshed_at = last_refreshed_at - interval '31 days'")
    faults.add(Fault("/movie/[0-9]+", "body", body="[]", times=1))
    assert run("daily_refresh").success
    # The entry that failed is not tried again while people look.
    execute(engine, "UPDATE refresh_queue SET due_at = now() + interval '1 day' WHERE status = 'queued'")
    engine.dispose()
    faults.add(Fault("/movie/[a-z].*|/trending/.*", "status", status=404))
    ingest = run("weekly_ingest", max_movies=MOVIES, pages_per_source=1)
    faults.clear()
    assert not ingest.success
    assert run("data_quality").success
    assert run("ops_report").success
    return ingest.run_id
