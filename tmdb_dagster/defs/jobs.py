"""The jobs, by the names and with the run config that examples/ documents."""

from __future__ import annotations

from dagster import AssetSelection, GraphDefinition, JobDefinition, OpDefinition, define_asset_job

from tmdb_dagster.defs.checks import INGEST_CHECKS
from tmdb_dagster.defs.curation import add_movies, exclude_movies, include_movies, remove_movies
from tmdb_dagster.defs.discovery import ingest_candidates
from tmdb_dagster.defs.images import repair_images
from tmdb_dagster.defs.movies import batch_ingest, enrich_candidates, ingest_movie, rebuild_from_raw
from tmdb_dagster.defs.refresh import daily_refresh, drain_refresh_queue
from tmdb_dagster.defs.report import ops_report
from tmdb_dagster.defs.retention import retention
from tmdb_dagster.defs.titles import movie_titles

# A run whose process died without a word is ended after so many seconds.
MAX_RUNTIME_S = 6 * 60 * 60
_TAGS = {"dagster/max_runtime": str(MAX_RUNTIME_S)}

weekly_ingest_job = define_asset_job(
    "weekly_ingest",
    selection=AssetSelection.assets(ingest_candidates, enrich_candidates).without_checks()
    | AssetSelection.checks(*INGEST_CHECKS),
    description="Discover movies from TMDB's lists and ingest the new ones.",
    tags=_TAGS,
)

data_quality_job = define_asset_job(
    "data_quality",
    selection=AssetSelection.all_asset_checks(),
    description="Evaluate all checks: whether the data is right, and the work that keeps it.",
    tags=_TAGS,
)

ops_report_job = define_asset_job(
    "ops_report",
    selection=AssetSelection.assets(ops_report, movie_titles),
    description="Draw the operator's report now, and list the movies by title.",
    tags=_TAGS,
)


def _op_job(op: OpDefinition) -> JobDefinition:
    # The job has its op's name, which Dagster allows only if the graph between them has another.
    graph = GraphDefinition(name=f"{op.name}_graph", node_defs=[op], description=op.description)
    return graph.to_job(name=op.name, description=op.description, tags=_TAGS)


ingest_movie_job = _op_job(ingest_movie)
batch_ingest_job = _op_job(batch_ingest)
rebuild_from_raw_job = _op_job(rebuild_from_raw)
repair_images_job = _op_job(repair_images)
daily_refresh_job = _op_job(daily_refresh)
drain_refresh_queue_job = _op_job(drain_refresh_queue)
retention_job = _op_job(retention)
add_movies_job = _op_job(add_movies)
remove_movies_job = _op_job(remove_movies)
exclude_movies_job = _op_job(exclude_movies)
include_movies_job = _op_job(include_movies)
