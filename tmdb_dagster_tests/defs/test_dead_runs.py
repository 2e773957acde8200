"""A run whose process was killed is ended in Dagster within three minutes, whatever it was doing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter, SensorEvaluationContext, SensorResult
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.test_utils import create_run_for_test
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from sqlalchemy import Engine

from tmdb_dagster.clock import utc_now
from tmdb_dagster.defs.resources import CatalogueResource
from tmdb_dagster.defs.sensors import rescue_dead_work
from tmdb_dagster_tests.defs.conftest import Execute, StartJob
from tmdb_dagster_tests.warehouse.database import execute as change
from tmdb_dagster_tests.warehouse.database import rows, take_lease, value

NOT_STARTED = DagsterRunStatus.NOT_STARTED
THREE_MINUTES = 180
EVERY_S = 30
"""How often the daemon asks rescue_dead_work."""


class Clock:
    """The sensor's clock, which a test moves on."""

    def __init__(self) -> None:
        self.later = timedelta(0)

    def now(self) -> datetime:
        return utc_now() + self.later


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("tmdb_dagster.clock.utc_now", clock.now)
    return clock


def _location(name: str) -> ManagedGrpcPythonEnvCodeLocationOrigin:
    target = LoadableTargetOrigin(module_name="tmdb_dagster.definitions")
    return ManagedGrpcPythonEnvCodeLocationOrigin(target, location_name=name)


def _start(instance: DagsterInstance, location: str, status: DagsterRunStatus = DagsterRunStatus.STARTED) -> str:
    """A run that the daemon has started, in Dagster's storage."""
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(_location(location), "__repository__"), "retention")
    run = create_run_for_test(instance, job_name="retention", status=status, remote_job_origin=origin)
    return str(run.run_id)


Tick = Callable[[], None]


@pytest.fixture
def tick(instance: DagsterInstance, settings_environment: dict[str, str]) -> Tick:
    """Has the sensor look once, as the daemon does: from our code location, with the cursor of the last time."""
    return _ticks(instance)


def _ticks(instance: DagsterInstance) -> Tick:
    cursor: str | None = None

    def look() -> None:
        nonlocal cursor
        context = SensorEvaluationContext(
            None, None, None, cursor, None, None, instance=instance, code_location_origin=_location("ours")
        )
        result = rescue_dead_work(context, catalogue=CatalogueResource())
        assert isinstance(result, SensorResult)
        cursor = result.cursor

    return look


def _status(instance: DagsterInstance, run_id: str) -> DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def test_a_run_that_died_before_its_lease_is_ended(instance: DagsterInstance, clock: Clock, tick: Tick) -> None:
    died, elsewhere = _start(instance, "ours"), _start(instance, "another project")

    for seconds in range(EVERY_S - 1, THREE_MINUTES, EVERY_S):
        assert seconds > 60 or _status(instance, died) == DagsterRunStatus.STARTED, "it may only be slow"
        clock.later = timedelta(seconds=seconds)
        tick()

    assert _status(instance, died) == DagsterRunStatus.FAILURE
    assert _status(instance, elsewhere) == DagsterRunStatus.STARTED


@pytest.mark.parametrize(
    ("status", "ends_as"),
    [
        (DagsterRunStatus.NOT_STARTED, DagsterRunStatus.FAILURE),
        (DagsterRunStatus.STARTED, DagsterRunStatus.FAILURE),
        (DagsterRunStatus.CANCELING, DagsterRunStatus.CANCELED),
    ],
)
def test_a_killed_job_execute_without_a_lease_is_ended_and_that_of_another_project_is_not(
    status: DagsterRunStatus, ends_as: DagsterRunStatus, instance: DagsterInstance, clock: Clock, tick: Tick
) -> None:
    ours, another = (
        create_run_for_test(instance, job_name="retention", status=status, job_code_origin=_executed(module)).run_id
        for module in ("tmdb_dagster.definitions", "another_project.definitions")
    )

    for seconds in range(EVERY_S - 1, THREE_MINUTES, EVERY_S):
        clock.later = timedelta(seconds=seconds)
        tick()

    assert _status(instance, ours) == ends_as
    assert _status(instance, another) == status


def _executed(module: str) -> JobPythonOrigin:
    """What `dagster job execute -m` notes of its job."""
    return JobPythonOrigin("retention", RepositoryPythonOrigin("python", ModuleCodePointer(module, "defs")))


def test_a_run_that_died_while_it_was_canceled_is_ended(instance: DagsterInstance, clock: Clock, tick: Tick) -> None:
    died, waiting = (_start(instance, "ours", status) for status in (DagsterRunStatus.CANCELING, NOT_STARTED))

    for seconds in range(EVERY_S - 1, THREE_MINUTES, EVERY_S):
        clock.later = timedelta(seconds=seconds)
        tick()

    assert _status(instance, died) == DagsterRunStatus.CANCELED
    assert _status(instance, waiting) == NOT_STARTED, "it has no process yet"


def test_a_run_between_two_steps_or_that_was_cut_off_for_a_while_goes_on(
    instance: DagsterInstance, engine: Engine, clock: Clock, tick: Tick
) -> None:
    run_id = _start(instance, "ours")
    for seconds in range(0, 3 * THREE_MINUTES, EVERY_S):
        clock.later = timedelta(seconds=seconds)
        take_lease(engine, run_id, seconds=-1 if seconds % 90 else 60)
        tick()

    assert _status(instance, run_id) == DagsterRunStatus.STARTED


@pytest.fixture
def shared_instance(start_job: StartJob) -> Iterator[DagsterInstance]:
    """The instance that the processes of `start_job` write to."""
    with DagsterInstance.get() as instance:
        yield instance


@pytest.mark.parametrize("job", ["ops_report", "data_quality", "retention", "rebuild_from_raw"])
def test_a_killed_job_that_only_opens_the_database_is_ended(
    job: str, start_job: StartJob, shared_instance: DagsterInstance, engine: Engine, clock: Clock
) -> None:
    with engine.begin() as others:
        # Whoever reads these waits, so that the kill falls into the job's work.
        others.exec_driver_sql("LOCK TABLE tmdb_api_logs, movie_responses IN ACCESS EXCLUSIVE MODE")
        process = start_job(job, {})
        while not (held := rows(engine, "SELECT run_id FROM run_leases")) and process.poll() is None:
            time.sleep(0.02)
        process.kill()
        process.wait()
    [(run_id,)] = held
    assert _status(shared_instance, run_id) == DagsterRunStatus.STARTED
    tick = _ticks(shared_instance)
    tick()

    for seconds in range(EVERY_S, THREE_MINUTES, EVERY_S):
        change(engine, "UPDATE run_leases SET expires_at = expires_at - make_interval(secs => :s)", s=EVERY_S)
        clock.later = timedelta(seconds=seconds)
        tick()

    assert _status(shared_instance, run_id) == DagsterRunStatus.FAILURE


def test_a_killed_job_execute_that_waits_for_its_lease_is_ended(
    start_job: StartJob, shared_instance: DagsterInstance, engine: Engine, clock: Clock
) -> None:
    before = {run.run_id for run in shared_instance.get_runs()}
    with engine.begin() as others:
        others.exec_driver_sql("LOCK TABLE run_leases IN ACCESS EXCLUSIVE MODE")
        process = start_job("retention", {})
        started: list[str] = []
        while not started and process.poll() is None:
            runs = shared_instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTED]))
            started = [run.run_id for run in runs if run.run_id not in before]
            time.sleep(0.1)
        process.kill()
        process.wait()
    assert rows(engine, "SELECT run_id FROM run_leases") == []
    tick = _ticks(shared_instance)

    for seconds in range(EVERY_S, THREE_MINUTES, EVERY_S):
        clock.later = timedelta(seconds=seconds)
        tick()

    assert [_status(shared_instance, run_id) for run_id in started] == [DagsterRunStatus.FAILURE]


@pytest.mark.parametrize("job", ["ops_report", "data_quality", "retention", "rebuild_from_raw"])
def test_a_job_that_ends_gives_its_lease_back(job: str, execute: Execute, engine: Engine) -> None:
    assert execute(job).success
    assert value(engine, "SELECT count(*) FROM run_leases") == 0
