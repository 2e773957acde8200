"""What the last run of a job did, as an asset called after the job: its figures are not those of any other job's runs.

Runs of a job come one after another, and so do the points of its plots. What a table holds is the table's asset's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster import AssetMaterialization, AssetSpec, OpExecutionContext

from tmdb_dagster.defs.links import written_by
from tmdb_dagster.defs.tables import OWNERS
from tmdb_dagster.defs.times import AFTER_DAILY_REFRESH, AFTER_WEEKLY_INGEST
from tmdb_dagster.transform.attribution import TMDB_NOTICE

WEEKLY_INGEST = "weekly_ingest"
DAILY_REFRESH = "daily_refresh"
DRAIN = "drain_refresh_queue"


def _spec(job: str, what: str, started_by: dict[str, list[str]], **attributes: Any) -> AssetSpec:
    return AssetSpec(
        job,
        group_name="operations",
        owners=OWNERS,
        description=f"{what}: how many movies came and failed, with titles and reasons, and what it cost in calls "
        f"and seconds.\n\n{written_by([job], **started_by)}\n\n{TMDB_NOTICE}",
        **attributes,
    )


run_figures = [
    _spec(
        WEEKLY_INGEST,
        "What the last ingest did",
        {"schedules": ["weekly_ingest_schedule"], "sensors": ["retry_weekly_ingest"]},
        deps=["candidates"],
        freshness_policy=AFTER_WEEKLY_INGEST,
    ),
    _spec(
        DAILY_REFRESH,
        "What the last daily refresh did",
        {"schedules": ["daily_refresh_schedule"], "sensors": ["retry_daily_refresh"]},
        deps=["works"],
        freshness_policy=AFTER_DAILY_REFRESH,
    ),
    _spec(
        DRAIN, "What the last drain of the refresh queue did", {"sensors": ["refresh_worker"]}, deps=["refresh_queue"]
    ),
]


def record_figures(context: OpExecutionContext, job: str, figures: Mapping[str, Any]) -> None:
    """Record what a run did at the asset of its job."""
    context.log_event(AssetMaterialization(job, metadata=figures))
