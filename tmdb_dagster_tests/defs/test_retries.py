"""A scheduled run that failed is started again, after growing delays and a few times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dagster import (
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    Definitions,
    RunRequest,
    SkipReason,
    build_sensor_context,
)
from dagster._core.test_utils import create_run_for_test
from sqlalchemy import Engine

from tmdb_dagster.clock import utc_now
from tmdb_dagster.defs.retries import FailedRun, retry_due, retry_sensors
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.warehouse.database import value

Ingest = Callable[[Any, dict[str, str]], bool]
NOW = datetime(2027, 3, 7, 12, tzinfo=UTC)
SCHEDULED = {"dagster/schedule_name": "weekly_ingest_schedule"}
CONFIG = {
    "ops": {
        "ingest_candidates": {
            "config": {"source": "popular", "max_movies": 3, "pages_per_source": 1, "trigger_type": "scheduled"}
        }
    }
}


@pytest.mark.parametrize(
    ("retry", "minutes", "permanent", "due"),
    [
        (0, 4, False, False),
        (0, 5, False, True),
        (1, 14, False, False),
        (1, 15, False, True),
        (2, 59, False, False),
        (2, 60, False, True),
        (3, 600, False, False),
        (0, 600, True, False),
    ],
)
def test_when_a_retry_is_due(retry: int, minutes: int, permanent: bool, due: bool) -> None:
    failed = FailedRun("run", NOW - timedelta(minutes=minutes), retry, permanent)
    assert retry_due(failed, NOW) == due


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sensor looks two hours later."""
    monkeypatch.setattr("tmdb_dagster.clock.utc_now", lambda: utc_now() + timedelta(hours=2))


def _requests(instance: DagsterInstance) -> list[RunRequest]:
    ticks = [sensor(build_sensor_context(instance=instance)) for sensor in retry_sensors]
    assert all(isinstance(tick, (RunRequest, SkipReason)) for tick in ticks)
    return [tick for tick in ticks if isinstance(tick, RunRequest)]


def _run(
    instance: DagsterInstance, status: DagsterRunStatus, tags: dict[str, str], job: str = "weekly_ingest"
) -> DagsterRun:
    """A run of Dagster's; one that fails does so without a word, as one whose process was killed."""
    if status != DagsterRunStatus.FAILURE:
        other: DagsterRun = create_run_for_test(instance, job_name=job, status=status, tags=tags)
        return other
    run: DagsterRun = create_run_for_test(
        instance, job_name=job, status=DagsterRunStatus.STARTED, tags=tags, run_config=CONFIG
    )
    instance.report_run_failed(run)
    return run


@pytest.fixture
def ingest(code_location: Definitions, instance: DagsterInstance, settings_environment: dict[str, str]) -> Ingest:
    """Runs the weekly ingest with a config and tags; returns whether it succeeded."""
    job = code_location.resolve_job_def("weekly_ingest")

    def run(config: Any, tags: dict[str, str]) -> bool:
        return job.execute_in_process(run_config=config, instance=instance, tags=tags, raise_on_error=False).success

    return run


def test_a_weekly_ingest_that_found_tmdb_away_ends_well_with_its_retry(
    ingest: Ingest, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer, later: None
) -> None:
    # Another server's refusal is tried once, so that the failure comes at once.
    sandbox.faults.add(Fault(".*", "status", status=403, body="<html>Forbidden by the firewall</html>"))
    assert not ingest(CONFIG, SCHEDULED)
    [failed] = instance.get_runs()
    sandbox.reset()

    [request], [racing] = _requests(instance), _requests(instance)

    assert request.run_key == racing.run_key == failed.run_id
    assert request.run_config == CONFIG
    assert ingest(request.run_config, dict(request.tags))
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'complete'") == 3
    assert _requests(instance) == []


def test_what_only_a_person_can_mend_is_not_tried_again(
    ingest: Ingest, instance: DagsterInstance, sandbox: SandboxServer, later: None
) -> None:
    sandbox.faults.add(Fault(".*", "status", status=401))
    assert not ingest(CONFIG, SCHEDULED)

    assert _requests(instance) == []


def test_three_times_at_most(instance: DagsterInstance, later: None) -> None:
    tags = SCHEDULED
    for _ in range(3):
        _run(instance, DagsterRunStatus.FAILURE, tags)
        [request] = _requests(instance)
        tags = {key: value for key, value in request.tags.items() if not key.startswith("dagster/")}
    _run(instance, DagsterRunStatus.FAILURE, tags)

    assert _requests(instance) == []


@pytest.mark.parametrize(
    ("newer", "tags", "tried_again"),
    [
        (DagsterRunStatus.SUCCESS, {}, False),
        (DagsterRunStatus.NOT_STARTED, {}, False),
        (DagsterRunStatus.STARTED, {}, False),
        (DagsterRunStatus.CANCELED, {"tmdb_dagster/retry": "1"}, False),
        (DagsterRunStatus.CANCELED, {}, True),
        (DagsterRunStatus.FAILURE, {}, True),
    ],
)
def test_a_newer_run_decides(
    instance: DagsterInstance, later: None, newer: DagsterRunStatus, tags: dict[str, str], tried_again: bool
) -> None:
    scheduled = _run(instance, DagsterRunStatus.FAILURE, SCHEDULED)
    _run(instance, newer, tags)

    assert [request.run_key for request in _requests(instance)] == ([scheduled.run_id] if tried_again else [])


def test_each_job_is_looked_at_by_itself_and_a_run_by_hand_is_its_persons(
    instance: DagsterInstance, later: None
) -> None:
    _run(instance, DagsterRunStatus.FAILURE, {})
    refresh = _run(
        instance, DagsterRunStatus.FAILURE, {"dagster/schedule_name": "daily_refresh_schedule"}, "daily_refresh"
    )

    assert [request.run_key for request in _requests(instance)] == [refresh.run_id]


def test_it_waits_before_it_tries_again(instance: DagsterInstance) -> None:
    _run(instance, DagsterRunStatus.FAILURE, SCHEDULED)

    assert _requests(instance) == []
