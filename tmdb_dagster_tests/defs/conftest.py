from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, Definitions, ExecuteInProcessResult

from tmdb_dagster.settings import REPOSITORY
from tmdb_dagster_tests.defs.job_process import JobProcess

Execute = Callable[..., ExecuteInProcessResult]
StartJob = Callable[..., JobProcess]


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


def execute_job(
    code_location: Definitions, instance: DagsterInstance, job: str, **config: Any
) -> ExecuteInProcessResult:
    """Run a job in this process, with the config of its first op."""
    op = "ingest_candidates" if job == "weekly_ingest" else job
    return code_location.resolve_job_def(job).execute_in_process(
        run_config={"ops": {op: {"config": config}}} if config else {}, instance=instance, raise_on_error=False
    )


@pytest.fixture
def execute(code_location: Definitions, instance: DagsterInstance, settings_environment: dict[str, str]) -> Execute:
    """Runs a job of the code location on the test's catalogue: execute("ingest_movie", tmdb_id=603)."""

    return partial(execute_job, code_location, instance)


@pytest.fixture(scope="session")
def dagster_database(database_address: Callable[[str], str], worker_id: str) -> str:
    """The address of a database for Dagster's own storage, which makes its tables at the first use."""
    return database_address(f"dagster_{worker_id}")


@pytest.fixture
def start_job(
    settings_environment: dict[str, str], dagster_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StartJob]:
    """Starts `dagster job execute` from the repository's root, in a process group of its own.

    Its output goes to the file `output` in the test's folder; keywords are environment variables.
    """
    monkeypatch.setenv("DAGSTER_DATABASE_URL", dagster_database)
    # A killed process cannot remove the temporary home that Dagster gives it in the working directory.
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").symlink_to(REPOSITORY / "dagster.yaml")
    started: list[JobProcess] = []

    def start(job: str, config: dict[str, Any], **variables: str) -> JobProcess:
        config_file = tmp_path / f"{job}-{len(started)}.yaml"
        config_file.write_text(json.dumps(config), "utf8")  # JSON is YAML
        process = JobProcess(["-j", job, "-c", str(config_file)], {**os.environ, **variables}, tmp_path / "output")
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
