"""Sensors: start workers while the queue holds due work, take back what dead runs left, keep the partitions equal to
the catalogue, start failed scheduled runs again, and tell of failures.

Each is a thin shell around a decision that is made without Dagster.
"""

from __future__ import annotations

import json
import math
from datetime import timedelta

from dagster import (
    AddDynamicPartitionsRequest,
    AssetKey,
    AssetObservation,
    AssetRecordsFilter,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    DefaultSensorStatus,
    DeleteDynamicPartitionsRequest,
    RunFailureSensorContext,
    RunRecord,
    RunRequest,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    run_failure_sensor,
    sensor,
)
from dagster._core.remote_origin import CodeLocationOrigin

from tmdb_dagster.defs.code_location import executed_here
from tmdb_dagster.defs.failures import step_failures
from tmdb_dagster.defs.jobs import daily_refresh_job, drain_refresh_queue_job
from tmdb_dagster.defs.metadata import unwritten_metadata
from tmdb_dagster.defs.partitions import movie_partitions, partition_of
from tmdb_dagster.defs.resources import CatalogueResource, job_or_assets
from tmdb_dagster.defs.retries import retry_sensors
from tmdb_dagster.shown import counted, visible

ITEMS_A_RUN = 100
"""Entries that one run of drain_refresh_queue takes."""

# Fewer that nobody waits for are gathered, so that retries are not a run each.
_FEW = 25
_GATHER = timedelta(minutes=10)

PARTITIONS_A_TICK = 5_000
UNWRITTEN_A_TICK = 500
"""Fewer, since each has an event of its own."""

# A run that failed, and not only its process, says that something is wrong with TMDB or here: it is tried again, but
# not at every tick. Movies that fail do not fail their run, unless they are most of it.
_PAUSE_AFTER_FAILURE = timedelta(minutes=5)

ABSENT_S = 75
"""A run that has been seen without a lease for so long is dead: not one that has just begun, is between two steps, or
was cut off for a while."""

# Between its launch and its start a run waits for a process, and between its start and its lease it loads the code
# location and opens the database. If either takes longer, it may be lost: another one costs little.
_STARTING = timedelta(minutes=1)
_UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
]
# What dead runs stay in, if they had come so far. `dagster job execute` is its run's process from the first moment.
_WITH_A_PROCESS = [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


def workers_to_start(due: int, *, at_work: int, most: int) -> int:
    """How many more runs `due` entries are worth, where `at_work` runs drain and at most `most` should."""
    return max(0, min(math.ceil(due / ITEMS_A_RUN), most) - at_work)


@sensor(
    job_name=drain_refresh_queue_job.name,  # with the job itself, Dagster warns of an argument of its own
    minimum_interval_seconds=15,  # who has asked for a movie waits
    default_status=DefaultSensorStatus.RUNNING,
    description="Starts runs of drain_refresh_queue while works that are due wait in the queue.",
)
def refresh_worker(context: SensorEvaluationContext, catalogue: CatalogueResource) -> SensorResult | SkipReason:
    """Start workers. Racing ticks ask for the same run keys, so that Dagster starts each worker once."""
    from tmdb_dagster.warehouse.leases import live_runs
    from tmdb_dagster.warehouse.refresh_queue import backlog

    with catalogue.database() as (engine, _), engine.begin() as connection:
        waiting = backlog(connection)
        alive = live_runs(connection, [daily_refresh_job.name, drain_refresh_queue_job.name])
    due = counted(waiting.due, "due entry", "due entries")
    if not waiting.due:
        return SkipReason(f"Nothing is due; {counted(waiting.open, 'open entry', 'open entries')}.")
    at_work = alive | _starting_runs(context.instance)
    number = workers_to_start(waiting.due, at_work=len(at_work), most=_most_workers(context.instance))
    if not number:
        return SkipReason(f"{due}; {counted(len(at_work), 'run')} at it.")
    newest = context.instance.get_run_records(RunsFilter(job_name=drain_refresh_queue_job.name), limit=1)
    if newest and _has_just_failed(context.instance, newest[0]):
        return SkipReason(f"{due}, but run {newest[0].dagster_run.run_id} has just failed.")
    if newest and waiting.due < _FEW and not waiting.urgent and _ended(newest[0], DagsterRunStatus.SUCCESS, _GATHER):
        return SkipReason(f"{due} that nobody waits for: they are gathered for some minutes.")
    after = newest[0].dagster_run.run_id if newest else "none"
    config = {"ops": {drain_refresh_queue_job.name: {"config": {"trigger_type": "scheduled"}}}}
    return SensorResult([RunRequest(run_key=f"after {after}: {index}", run_config=config) for index in range(number)])


def _ended(record: RunRecord, status: DagsterRunStatus, within: timedelta) -> bool:
    from tmdb_dagster.clock import utc_now

    return record.dagster_run.status == status and (record.end_time or 0) > (utc_now() - within).timestamp()


def _has_just_failed(instance: DagsterInstance, record: RunRecord) -> bool:
    """Whether it could not be started, or says why it failed: else its process died, or was told to stop."""
    return _ended(record, DagsterRunStatus.FAILURE, _PAUSE_AFTER_FAILURE) and (
        record.start_time is None or bool(step_failures(instance, record.dagster_run.run_id))
    )


def _starting_runs(instance: DagsterInstance) -> set[str]:
    """Runs that wait for their turn, or were launched or have begun too lately to hold a lease."""
    from tmdb_dagster.clock import utc_now

    records = instance.get_run_records(RunsFilter(job_name=drain_refresh_queue_job.name, statuses=_UNFINISHED))
    lately = (utc_now() - _STARTING).timestamp()
    return {
        record.dagster_run.run_id
        for record in records
        if record.dagster_run.status == DagsterRunStatus.QUEUED or _came_so_far_at(record) > lately
    }


def _came_so_far_at(record: RunRecord) -> float:
    """When it started, or, if it has not, when it was launched."""
    if record.dagster_run.status == DagsterRunStatus.STARTED:
        return record.start_time or 0
    return record.update_timestamp.timestamp()


def _most_workers(instance: DagsterInstance) -> int:
    """As many as may run at once, but for one: other jobs are not to wait for the queue."""
    queue = instance.get_concurrency_config().run_queue_config
    return 1 if queue is None else max(1, queue.max_concurrent_runs - 1)


@sensor(
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Takes back what dead runs left ingesting or processing, queues failed works for another try, and ends "
    "runs whose process died.",
)
def rescue_dead_work(context: SensorEvaluationContext, catalogue: CatalogueResource) -> SensorResult:
    """Rescue, and report the runs that have been without a lease for too long: the cursor holds since when."""
    from tmdb_dagster.clock import utc_now
    from tmdb_dagster.pipeline.refresh import rescue
    from tmdb_dagster.warehouse.leases import leases

    running = context.instance.get_runs(RunsFilter(statuses=_WITH_A_PROCESS))
    with catalogue.database() as (engine, _):
        rescued = rescue(engine)
        with engine.begin() as connection:
            alive = leases(connection)
    if any(vars(rescued).values()):
        context.log.warning(
            "Taken back from dead runs: %s works, %s queue entries; queued for another try: %s works",
            rescued.works,
            rescued.entries,
            rescued.queued,
        )
    # A run of another code location has no lease here, and needs none.
    ours = [run for run in running if run.run_id in alive or _is_of(run, context.code_location_origin)]
    now = utc_now().timestamp()
    before = json.loads(context.cursor or "{}")
    absent = {run.run_id: before.get(run.run_id, now) for run in ours if not alive.get(run.run_id, False)}
    for run in ours:
        if now - absent.get(run.run_id, now) >= ABSENT_S:
            canceling = run.status == DagsterRunStatus.CANCELING
            report = context.instance.report_run_canceled if canceling else context.instance.report_run_failed
            report(run, "The run's process died: it holds no lease, or renews it no longer.")
    return SensorResult(skip_reason="Rescuing needs no run.", cursor=json.dumps(absent))


def _is_of(run: DagsterRun, location: CodeLocationOrigin | None) -> bool:
    """Whether this code location started it, or `dagster job execute` on our module.

    A run of a location that is NOT_STARTED has no process yet.
    """
    origin = run.remote_job_origin
    by_hand = executed_here(run)
    if by_hand is not None and origin in (None, by_hand):
        return True
    here = origin is not None and location is not None and origin.location_name == location.location_name
    return here and run.status != DagsterRunStatus.NOT_STARTED


@sensor(
    minimum_interval_seconds=15 * 60,
    default_status=DefaultSensorStatus.RUNNING,
    description="Keeps the partitions of movies equal to the movies in works.",
)
def movie_partitions_sync(context: SensorEvaluationContext, catalogue: CatalogueResource) -> SensorResult:
    """Add partitions of movies that came by another way or were never ingested, and remove those of movies that left.

    A tick looks at the works that were refreshed since the last one, at the next ones that never were, and at the next
    partitions, so many of each that it costs the same however large the catalogue is. The cursor holds how far all
    have come.
    """
    from tmdb_dagster.warehouse.works import known_tmdb_ids, refreshed_since, unwritten_after

    cursor = json.loads(context.cursor or "{}")
    name, instance = str(movie_partitions.name), context.instance
    page = instance.get_paginated_dynamic_partitions(name, PARTITIONS_A_TICK, True, cursor.get("partition"))
    with catalogue.database() as (engine, _), engine.begin() as connection:
        refreshed, until = refreshed_since(connection, cursor.get("refreshed"), PARTITIONS_A_TICK)
        unwritten = unwritten_after(connection, cursor.get("unwritten", 0), UNWRITTEN_A_TICK)
        there = known_tmdb_ids(connection, [int(key) for key in page.results if key.isdecimal()])
    keys = [partition_of(tmdb_id) for tmdb_id in (*refreshed, *(work.tmdb_id for work in unwritten))]
    existing = instance.get_existing_dynamic_partitions(name, keys) if keys else set()
    added = [key for key in keys if key not in existing]
    left = set(page.results) - {partition_of(tmdb_id) for tmdb_id in there}
    removed = sorted(key for key in left if _recorded(instance, key))
    requests: list[AddDynamicPartitionsRequest | DeleteDynamicPartitionsRequest] = []
    if added:
        requests.append(movie_partitions.build_add_request(added))
    if removed:
        requests.append(movie_partitions.build_delete_request(removed))
    return SensorResult(
        skip_reason=f"Partitions added: {len(added)}, removed: {len(removed)}. Looked at: {len(keys)} of the works "
        f"that were refreshed since the last tick or never were, {len(page.results)} of the partitions.",
        dynamic_partitions_requests=requests,
        asset_events=[
            AssetObservation("movies", partition=partition_of(work.tmdb_id), metadata=unwritten_metadata(work))
            for work in unwritten
            if partition_of(work.tmdb_id) not in existing
        ],
        cursor=json.dumps(
            {
                "refreshed": until,
                "unwritten": unwritten[-1].work_id if len(unwritten) == UNWRITTEN_A_TICK else 0,
                "partition": page.cursor if page.has_more else None,
            }
        ),
    )


def _recorded(instance: DagsterInstance, partition: str) -> bool:
    """Whether anything was ever recorded of it; one that a person added and has not materialised yet stays."""
    records = AssetRecordsFilter(AssetKey("movies"), asset_partitions=[partition])
    return any(
        fetch(records, limit=1).records for fetch in (instance.fetch_materializations, instance.fetch_observations)
    )


@run_failure_sensor(
    default_status=DefaultSensorStatus.RUNNING,
    description="Tells of every failed run in the daemon's log, and to ALERT_WEBHOOK_URL where it is set.",
)
def run_failure_alert(context: RunFailureSensorContext) -> None:
    """Say which run failed, and why."""
    from tmdb_dagster.defs.failures import clear_failures
    from tmdb_dagster.pipeline.alerts import send_alert
    from tmdb_dagster.settings import load_settings

    run = context.dagster_run
    name = job_or_assets(run.job_name, run.asset_selection or [])
    text = load_settings().redact(f"Run {run.run_id} of {name} failed. {_reason(context)}")
    context.log.error(visible(text))
    with clear_failures():
        url = load_settings().alert_webhook_url
        if url is not None:
            send_alert(url, text)


def _reason(context: RunFailureSensorContext) -> str:
    for event in context.get_step_failure_events():
        data = event.step_failure_data
        if data.user_failure_data is not None and data.user_failure_data.description:
            return data.user_failure_data.description
        if data.error is not None:
            return data.error.message.strip()
    return context.failure_event.message or "Dagster does not say why."


sensors: list[SensorDefinition] = [
    refresh_worker,
    rescue_dead_work,
    movie_partitions_sync,
    *retry_sensors,
    run_failure_alert,
]
