"""The sensors that start a failed run of a schedule again, and how they decide.

Not here: what is tried again within a run, which is nearer to the cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dagster import (
    DagsterInstance,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunRecord,
    RunRequest,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    sensor,
)
from dagster._core.storage.tags import SCHEDULE_NAME_TAG

from tmdb_dagster.defs.failures import PERMANENT, step_failures
from tmdb_dagster.defs.jobs import daily_refresh_job, weekly_ingest_job

DELAYS = (timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=60))
"""How long after a failure its run is started again: after the scheduled run's, the first retry's, the second's."""

RETRY_TAG = "tmdb_dagster/retry"
RETRY_OF_TAG = "tmdb_dagster/retry_of"

# Runs by hand that failed since may stand before the scheduled one; more than so many are not passed over.
_RUNS = 25


@dataclass(frozen=True)
class FailedRun:
    """A run of a schedule that failed, and is the last word on its job."""

    run_id: str
    failed_at: datetime
    retry: int
    """0 for the scheduled run, 1 for its first retry."""
    permanent: bool


def retry_due(failed: FailedRun, now: datetime) -> bool:
    """Whether it is to be started again now."""
    return not failed.permanent and failed.retry < len(DELAYS) and now >= failed.failed_at + DELAYS[failed.retry]


def _retries(job: str, plan: str) -> SensorDefinition:
    """A sensor for each job: with several of them Dagster warns of an argument of its own."""

    @sensor(
        name=f"retry_{job}",
        job_name=job,
        minimum_interval_seconds=60,
        default_status=DefaultSensorStatus.RUNNING,
        description=f"Starts {plan} that failed again, 5, 15 and 60 minutes later, unless only a person can mend it or "
        "a newer run has succeeded or is under way.",
    )
    def retry(context: SensorEvaluationContext) -> RunRequest | SkipReason:
        """Start again what is due. The run key is the failed run, so that racing ticks start it once."""
        from tmdb_dagster.clock import utc_now

        record = last_scheduled_failure(context.instance.get_run_records(RunsFilter(job_name=job), limit=_RUNS))
        if record is None:
            return SkipReason("The last run that the schedule started has not failed, or a newer run decides.")
        failed = _failed_run(context.instance, record)
        if not retry_due(failed, utc_now()):
            return SkipReason(_why_not(failed))
        return RunRequest(
            run_key=failed.run_id,
            run_config=record.dagster_run.run_config,
            tags={RETRY_TAG: str(failed.retry + 1), RETRY_OF_TAG: failed.run_id},
        )

    return retry


def _why_not(failed: FailedRun) -> str:
    if failed.permanent:
        return f"Run {failed.run_id} would fail again until what it says is mended."
    if failed.retry == len(DELAYS):
        return f"Run {failed.run_id} was the last retry; the schedule starts the next run."
    return f"Run {failed.run_id} is tried again at {failed.failed_at + DELAYS[failed.retry]:%Y-%m-%d %H:%M} UTC."


def last_scheduled_failure(records: Sequence[RunRecord]) -> RunRecord | None:
    """Of a job's runs, newest first, the newest that a schedule or a retry sensor started, if it failed.

    None where a newer run has succeeded or is under way.
    """
    for record in records:
        run = record.dagster_run
        if run.status not in (DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED):
            return None
        if SCHEDULE_NAME_TAG in run.tags or RETRY_TAG in run.tags:
            return record if run.status == DagsterRunStatus.FAILURE else None
    return None


def _failed_run(instance: DagsterInstance, record: RunRecord) -> FailedRun:
    run = record.dagster_run
    ended_at = record.end_time or record.update_timestamp.timestamp()
    return FailedRun(
        run.run_id,
        datetime.fromtimestamp(ended_at, UTC),
        int(run.tags.get(RETRY_TAG, 0)),
        _is_permanent(instance, run.run_id),
    )


def _is_permanent(instance: DagsterInstance, run_id: str) -> bool:
    """Whether a step of the run said so; a run that was killed says nothing."""
    for data in step_failures(instance, run_id):
        if data.user_failure_data is not None and PERMANENT in data.user_failure_data.metadata:
            return bool(data.user_failure_data.metadata[PERMANENT].value)
    return False


retry_sensors = [
    _retries(weekly_ingest_job.name, "a scheduled ingest"),
    _retries(daily_refresh_job.name, "a scheduled refresh"),
]
