"""The schedules, in Los Angeles time, daylight saving honoured."""

from __future__ import annotations

from dagster import DefaultScheduleStatus, ScheduleDefinition

from tmdb_dagster.defs.jobs import weekly_ingest_job

TIME_ZONE = "America/Los_Angeles"

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

schedules = [weekly_ingest_schedule]
