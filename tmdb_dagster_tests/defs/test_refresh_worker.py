"""The sensor that starts workers while the queue holds due work."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from dagster import (
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
    SensorResult,
    SkipReason,
    build_sensor_context,
)
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.test_utils import create_run_for_test
from sqlalchemy import Engine

from tmdb_dagster.defs.resources import CatalogueResource
from tmdb_dagster.defs.sensors import refresh_worker, workers_to_start
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.defs.conftest import Execute
from tmdb_dagster_tests.warehouse.database import add_work, take_lease, until, value
from tmdb_dagster_tests.warehouse.database import execute as change

DRAIN = "drain_refresh_queue"


def _queue_works(engine: Engine, count: int) -> None:
    for tmdb_id in range(1, count + 1):
        add_work(engine, tmdb_id)
    change(engine, "INSERT INTO refresh_queue (work_id) SELECT work_id FROM works")


@pytest.mark.parametrize(
    ("due", "at_work", "most", "more"),
    [
        (0, 0, 3, 0),
        (1, 0, 3, 1),
        (100, 0, 3, 1),
        (101, 0, 3, 2),
        (5000, 0, 3, 3),
        (5000, 2, 3, 1),
        (50, 1, 3, 0),
        (5, 4, 3, 0),
    ],
)
def test_how_many_workers(due: int, at_work: int, most: int, more: int) -> None:
    assert workers_to_start(due, at_work=at_work, most=most) == more


def _tick(instance: DagsterInstance, cursor: str | None = None) -> object:
    return refresh_worker(build_sensor_context(instance=instance, cursor=cursor), catalogue=CatalogueResource())


def test_due_work_starts_one_worker_even_if_ticks_race(
    instance: DagsterInstance,
    engine: Engine,
    settings_environment: dict[str, str],
    code_location: Definitions,
    sandbox: SandboxServer,
) -> None:
    assert isinstance(_tick(instance), SkipReason)
    _queue_works(engine, 3)

    keys = []
    for _ in range(2):
        tick = _tick(instance)
        assert isinstance(tick, SensorResult)
        keys += [request.run_key for request in tick.run_requests or []]
    assert len(keys) == 2
    assert len(set(keys)) == 1

    create_run_for_test(instance, job_name=DRAIN, status=DagsterRunStatus.STARTING)
    assert isinstance(_tick(instance), SkipReason), "a run waits for its turn"

    assert isinstance(tick, SensorResult)
    [request] = tick.run_requests or []
    code_location.resolve_job_def(DRAIN).execute_in_process(run_config=request.run_config, instance=instance)
    assert value(engine, "SELECT trigger_type FROM scheduled_ingestion_log") == "scheduled"


def test_a_worker_that_failed_is_replaced_after_a_pause(
    execute: Execute, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _queue_works(engine, 3)
    sandbox.faults.add(Fault("/movie/.*", "status", status=401))
    assert not execute(DRAIN).success
    assert isinstance(_tick(instance), SkipReason), "what made it fail may last: TMDB is down, a key is refused"

    monkeypatch.setattr("tmdb_dagster.defs.sensors._PAUSE_AFTER_FAILURE", timedelta(0))

    assert isinstance(_tick(instance), SensorResult)


def test_a_worker_that_was_launched_and_does_not_start_is_not_waited_for(
    instance: DagsterInstance, engine: Engine, settings_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _queue_works(engine, 3)
    create_run_for_test(instance, job_name=DRAIN, status=DagsterRunStatus.STARTING)
    assert isinstance(_tick(instance), SkipReason), "it may be on its way"

    monkeypatch.setattr("tmdb_dagster.defs.sensors._STARTING", timedelta(0))
    assert isinstance(_tick(instance), SensorResult), "the process that took it may have died"

    location = RegisteredCodeLocationOrigin("ours")
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), DRAIN)
    create_run_for_test(instance, job_name=DRAIN, status=DagsterRunStatus.QUEUED, remote_job_origin=origin)
    assert isinstance(_tick(instance), SkipReason), "it waits for its turn"


def test_a_worker_that_could_not_be_started_is_replaced_after_a_pause(
    instance: DagsterInstance, engine: Engine, settings_environment: dict[str, str]
) -> None:
    _queue_works(engine, 3)
    instance.report_run_failed(create_run_for_test(instance, job_name=DRAIN, status=DagsterRunStatus.STARTING))

    assert isinstance(_tick(instance), SkipReason), "the broker is away, or the code location"


def test_a_worker_whose_process_was_found_dead_is_replaced_at_once(
    instance: DagsterInstance, engine: Engine, settings_environment: dict[str, str]
) -> None:
    _queue_works(engine, 3)
    run = create_run_for_test(instance, job_name=DRAIN, status=DagsterRunStatus.STARTING)
    instance.report_dagster_event(DagsterEvent(DagsterEventType.RUN_START.value, DRAIN), run.run_id)
    instance.report_run_failed(run, "The run's process died")

    assert isinstance(_tick(instance), SensorResult)


def test_a_worker_that_was_told_to_stop_is_replaced_at_once(
    code_location: Definitions,
    instance: DagsterInstance,
    engine: Engine,
    settings_environment: dict[str, str],
    sandbox: SandboxServer,
) -> None:
    _queue_works(engine, 3)
    sandbox.faults.add(Fault("/movie/.*", "delay", delay_s=1))

    def stop() -> None:
        until(lambda: sandbox.stats.calls > 0, "a movie to be asked for")
        os.kill(os.getpid(), signal.SIGTERM)

    with ThreadPoolExecutor() as pool:
        stopped = pool.submit(stop)
        with pytest.raises(DagsterExecutionInterruptedError):
            code_location.resolve_job_def(DRAIN).execute_in_process(instance=instance)
        stopped.result()

    [run] = instance.get_runs()
    assert run.status == DagsterRunStatus.FAILURE
    assert isinstance(_tick(instance), SensorResult)


def test_a_few_that_nobody_waits_for_are_gathered(
    execute: Execute, instance: DagsterInstance, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert execute(DRAIN).success
    _queue_works(engine, 3)
    skipped = _tick(instance)
    assert isinstance(skipped, SkipReason)
    assert "3 due entries that nobody waits for" in str(skipped.skip_message)

    change(engine, "UPDATE refresh_queue SET priority = 100 WHERE work_id = (SELECT min(work_id) FROM works)")
    assert isinstance(_tick(instance), SensorResult), "a person waits for one"

    change(engine, "UPDATE refresh_queue SET priority = 80")
    monkeypatch.setattr("tmdb_dagster.defs.sensors._GATHER", timedelta(0))
    assert isinstance(_tick(instance), SensorResult), "they have waited long enough"


def test_a_worker_that_died_is_replaced(
    instance: DagsterInstance, engine: Engine, settings_environment: dict[str, str]
) -> None:
    _queue_works(engine, 3)
    run = create_run_for_test(instance, job_name=DRAIN, status=DagsterRunStatus.STARTED)
    change(engine, "UPDATE refresh_queue SET status = 'processing', claimed_by = :run_id", run_id=run.run_id)
    take_lease(engine, run.run_id)
    change(engine, "UPDATE run_leases SET job = :job", job=DRAIN)
    assert isinstance(_tick(instance), SkipReason)

    take_lease(engine, run.run_id, seconds=-1)

    tick = _tick(instance)
    assert isinstance(tick, SensorResult)
    assert len(tick.run_requests or []) == 1
