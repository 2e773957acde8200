"""The refresh as jobs: queue what is stale or has changed, and drain the queue."""

import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from dagster import (
    AssetExecutionContext,
    AssetMaterialization,
    Config,
    MaterializeResult,
    OpExecutionContext,
    Out,
    Output,
    multi_asset,
    op,
)
from pydantic import Field

from tmdb_dagster.defs.failures import clear_failures
from tmdb_dagster.defs.links import written_by
from tmdb_dagster.defs.metadata import ingest_metadata, queue_figures
from tmdb_dagster.defs.movies import failure_recorded, record_movies, tallied
from tmdb_dagster.defs.resources import CatalogueResource
from tmdb_dagster.defs.run_figures import DAILY_REFRESH, DRAIN, record_figures
from tmdb_dagster.defs.tables import record_tables, table_spec

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tmdb_dagster.pipeline.refresh import DrainReport
    from tmdb_dagster.pipeline.run import Run


@multi_asset(
    name="count_refresh_queue",
    specs=[
        table_spec(
            "refresh_queue",
            group="refresh",
            deps=[DAILY_REFRESH],
            more="Materialised by itself, its entries are counted; the jobs drain it. What their last "
            "runs did is at the assets `daily_refresh` and `drain_refresh_queue`.\n\n"
            + written_by(
                ["daily_refresh", "drain_refresh_queue"],
                schedules=["daily_refresh_schedule"],
                sensors=["refresh_worker", "rescue_dead_work", "retry_daily_refresh"],
            ),
        )
    ],
)
def refresh_queue(context: AssetExecutionContext, catalogue: CatalogueResource) -> MaterializeResult[None]:
    """Record how the queue stands; what is due is refreshed by the jobs."""
    with catalogue.database(context.op_execution_context) as (engine, _):
        return MaterializeResult(metadata=_queue_metadata(engine))


class DrainConfig(Config):
    """How to drain the queue."""

    batch_size: int = Field(25, description="Entries claimed at once, 1 or more.")
    max_items: int = Field(100, description="Most entries to process, 1 or more; the rest waits for the next run.")
    trigger_type: Literal["scheduled", "manual"] = Field("manual", description="What the log says started it.")


class DailyRefreshConfig(DrainConfig):
    """What to refresh."""

    use_changes: bool = Field(True, description="Ask TMDB which movies have changed since the last refresh.")
    max_stale: int = Field(200, description="Most stale works to queue.")


@op(out=Out(dict))
def daily_refresh(
    context: OpExecutionContext, config: DailyRefreshConfig, catalogue: CatalogueResource
) -> Iterator[Output[dict[str, Any]]]:
    """Queue the works that are stale or that TMDB says have changed, then refresh the most urgent ones."""
    from tmdb_dagster.pipeline.refresh import RefreshRequest, refresh_daily

    with clear_failures():
        request = RefreshRequest(**config.model_dump())
    started = time.monotonic()
    with tallied(context) as tally, catalogue.run(context) as run:
        with failure_recorded(context, DAILY_REFRESH, run, tally):
            report = refresh_daily(run, request, partial(record_movies, context, tally))
        queued = report.queued
        figures = {
            "stale works queued": queued.stale,
            "changed works queued": queued.changed,
            "pages of changes": queued.pages,
            **_drain_figures(report.drained),
        }
        metadata = {
            **figures,
            "changes read up to": str(queued.cursor),
            **ingest_metadata(tally, run.api_log.calls, time.monotonic() - started),
        }
        _record_refresh(context, DAILY_REFRESH, run, metadata)
    yield Output(figures, metadata=metadata)


@op(out=Out(dict))
def drain_refresh_queue(
    context: OpExecutionContext, config: DrainConfig, catalogue: CatalogueResource
) -> Iterator[Output[dict[str, Any]]]:
    """Refresh the most urgent works that the queue holds; several runs share it."""
    from tmdb_dagster.pipeline.refresh import DrainRequest, drain_queue

    with clear_failures():
        request = DrainRequest(**config.model_dump())
    started = time.monotonic()
    with tallied(context) as tally, catalogue.run(context) as run:
        with failure_recorded(context, DRAIN, run, tally):
            figures = _drain_figures(drain_queue(run, request, partial(record_movies, context, tally)))
        metadata = figures | ingest_metadata(tally, run.api_log.calls, time.monotonic() - started)
        _record_refresh(context, DRAIN, run, metadata)
    yield Output(figures, metadata=metadata)


def _drain_figures(report: "DrainReport") -> dict[str, int]:
    return {
        "entries taken": report.claimed,
        "entries completed": report.completed,
        "entries to be tried again": report.retried,
        "entries given up": report.failed,
        "movies gone": report.gone,
    }


def _queue_metadata(engine: "Engine") -> dict[str, Any]:
    from tmdb_dagster.warehouse.health import queue_status

    with engine.begin() as connection:
        return queue_figures(queue_status(connection))


def _record_refresh(context: OpExecutionContext, job: str, run: "Run", metadata: dict[str, Any]) -> None:
    """Record what the run did, how the queue stands now, and every table that it wrote."""
    record_figures(context, job, metadata)
    context.log_event(AssetMaterialization("refresh_queue", metadata=_queue_metadata(run.engine)))
    record_tables(context, run.engine)
