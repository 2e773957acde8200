"""The code location: everything that Dagster runs."""

from __future__ import annotations

from dagster import Definitions, in_process_executor

from tmdb_dagster.defs.checks import asset_checks
from tmdb_dagster.defs.discovery import ingest_candidates
from tmdb_dagster.defs.images import movie_images
from tmdb_dagster.defs.jobs import (
    add_movies_job,
    batch_ingest_job,
    daily_refresh_job,
    data_quality_job,
    drain_refresh_queue_job,
    exclude_movies_job,
    include_movies_job,
    ingest_movie_job,
    ops_report_job,
    rebuild_from_raw_job,
    remove_movies_job,
    repair_images_job,
    retention_job,
    weekly_ingest_job,
)
from tmdb_dagster.defs.movies import enrich_candidates, movies
from tmdb_dagster.defs.refresh import refresh_queue
from tmdb_dagster.defs.report import ops_report
from tmdb_dagster.defs.resources import CatalogueResource, NoOutputKept
from tmdb_dagster.defs.run_figures import run_figures
from tmdb_dagster.defs.schedules import schedules
from tmdb_dagster.defs.sensors import sensors
from tmdb_dagster.defs.titles import movie_titles
from tmdb_dagster.pipeline.garbage import keep_what_is_loaded

defs = Definitions(
    assets=[
        ingest_candidates,
        movies,
        movie_images,
        enrich_candidates,
        refresh_queue,
        ops_report,
        movie_titles,
        *run_figures,
    ],
    asset_checks=asset_checks,
    jobs=[
        weekly_ingest_job,
        daily_refresh_job,
        drain_refresh_queue_job,
        ingest_movie_job,
        batch_ingest_job,
        rebuild_from_raw_job,
        repair_images_job,
        data_quality_job,
        ops_report_job,
        retention_job,
        add_movies_job,
        remove_movies_job,
        exclude_movies_job,
        include_movies_job,
    ],
    schedules=schedules,
    sensors=sensors,
    resources={"catalogue": CatalogueResource(), "io_manager": NoOutputKept()},
    # The work is waiting and SQL: threads inside one process do it, and a step costs no process of its own.
    executor=in_process_executor,
)

keep_what_is_loaded()
