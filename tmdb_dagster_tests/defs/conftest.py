from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, Definitions, ExecuteInProcessResult

Execute = Callable[..., ExecuteInProcessResult]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Dagster's own code reads the fields of pydantic models in the old way.
    tolerate = pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(tolerate)


@pytest.fixture(scope="session")
def code_location() -> Definitions:
    from tmdb_dagster.definitions import defs

    return defs


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def execute(code_location: Definitions, instance: DagsterInstance, settings_environment: dict[str, str]) -> Execute:
    """Runs a job of the code location on the test's catalogue: execute("ingest_movie", tmdb_id=603)."""

    def run(job: str, **config: Any) -> ExecuteInProcessResult:
        op = "ingest_candidates" if job == "weekly_ingest" else job
        return code_location.resolve_job_def(job).execute_in_process(
            run_config={"ops": {op: {"config": config}}}, instance=instance, raise_on_error=False
        )

    return run
