"""A failed run executed again from its failed step, as the UI's button does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance, JobDefinition, ReexecutionOptions, execute_job, reconstructable
from sqlalchemy import Engine, text

from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.defs.events import materializations

CONFIG = {"ops": {"ingest_candidates": {"config": {"source": "popular", "max_movies": 20, "pages_per_source": 1}}}}


def weekly_ingest() -> JobDefinition:
    from tmdb_dagster.definitions import defs

    return defs.resolve_job_def("weekly_ingest")


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def test_it_goes_on_with_the_candidates_of_the_failed_run(
    settings_environment: dict[str, str], instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    sandbox.faults.add(Fault("/movie/[0-9]+", "status", status=401))
    failed = execute_job(reconstructable(weekly_ingest), instance, run_config=CONFIG)
    assert not failed.success
    sandbox.reset()

    again = execute_job(
        reconstructable(weekly_ingest),
        instance,
        run_config=CONFIG,
        reexecution_options=ReexecutionOptions.from_failure(failed.run_id, instance),
    )

    assert again.success
    assert sandbox.stats.by_endpoint == {"/movie/{id}": 20}, "no list is asked for again"
    assert len(materializations(instance, "movies")) == 20
    with engine.begin() as connection:
        log = connection.execute(text("SELECT run_id, movies_ingested FROM scheduled_ingestion_log ORDER BY id")).all()
    assert [tuple(row) for row in log] == [(failed.run_id, 0), (again.run_id, 20)]
