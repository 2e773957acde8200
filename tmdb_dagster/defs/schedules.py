"""The schedules, in Los Angeles time, daylight saving honoured."""

from __future__ import annotations

from dagster import (
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    schedule,
)

from tmdb_dagster.defs.images import repair_config
from tmdb_dagster.defs.jobs import (
    daily_refresh_job,
    data_quality_job,
    ops_report_job,
    repair_images_job,
    retention_job,
    weekly_ingest_job,
)
from tmdb_dagster.defs.times import TIME_ZONE

weekly_ingest_schedule = ScheduleDefinition(
    name="weekly_ingest_schedule",
    job=weekly_ingest_job,
    cron_schedule="0 2 * * 0",
    execution_timezone=TIME_ZONE,
    default_status=DefaultScheduleStatus.RUNNING,
    description="Sundays at 02:00: up to 50 new movies from all three lists.",
    run_config={
        "ops": {
            "ingest_candidates": {
                "config": {"source": "all", "max_movies": 50, "pages_per_source": 5, "trigger_type": "scheduled"}
            }
        }
    },
)

daily_refresh_schedule = ScheduleDefinition(
    name="daily_refresh_schedule",
    job=daily_refresh_job,
    cron_schedule="0 3 * * *",
    execution_timezone=TIME_ZONE,
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every day at 03:00: what is stale or has changed at TMDB.",
    run_config={"ops": {"daily_refresh": {"config": {"trigger_type": "scheduled"}}}},
)


@schedule(
    name="repair_images_schedule",
    job=repair_images_job,
    cron_schedule="15 * * * *",
    execution_timezone=TIME_ZONE,
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every hour: missing images that are due. At 04:15 the inventory is compared with the store, too.",
)
def repair_images_schedule(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
    """One run, also when nothing is due: whether anything is, only the database knows."""
    from tmdb_dagster.settings import load_settings

    if load_settings().movie_images_store == "none":
        return SkipReason("MOVIE_IMAGES_STORE is none: images stay at TMDB, and there are none to repair.")
    return RunRequest(run_config=repair_config(context.scheduled_execution_time))


data_quality_schedule = ScheduleDefinition(
    name="data_quality_schedule",
    job=data_quality_job,
    cron_schedule="30 4 * * *",
    execution_timezone=TIME_ZONE,
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every day at 04:30: all checks.",
)

ops_report_schedule = ScheduleDefinition(
    name="ops_report_schedule",
    job=ops_report_job,
    cron_schedule="30 5 * * *",
    execution_timezone=TIME_ZONE,
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every day at 05:30, after the refresh: the operator's report.",
)

retention_schedule = ScheduleDefinition(
    name="retention_schedule",
    job=retention_job,
    cron_schedule="0 5 * * *",
    execution_timezone=TIME_ZONE,
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every day at 05:00: what the RETENTION settings call old is removed.",
)


schedules = [
    weekly_ingest_schedule,
    daily_refresh_schedule,
    repair_images_schedule,
    data_quality_schedule,
    retention_schedule,
    ops_report_schedule,
]
