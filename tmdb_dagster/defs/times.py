"""When things are due: the schedules' time zone, and how fresh their assets must be by it."""

from __future__ import annotations

from datetime import timedelta

from dagster import FreshnessPolicy

TIME_ZONE = "America/Los_Angeles"

# A window begins before its schedule's tick and ends well after its run, on days of 23 and 25 hours, too.
AFTER_WEEKLY_INGEST = FreshnessPolicy.cron("0 6 * * 0", timedelta(hours=5), TIME_ZONE)
"""Materialised on Sundays, by the run of 02:00."""

AFTER_DAILY_REFRESH = FreshnessPolicy.cron("0 7 * * *", timedelta(hours=5), TIME_ZONE)
"""Materialised every day, by the run of 03:00."""

AFTER_DAILY_REPORT = FreshnessPolicy.cron("0 8 * * *", timedelta(hours=4), TIME_ZONE)
"""Materialised every day, by the run of 05:30."""
