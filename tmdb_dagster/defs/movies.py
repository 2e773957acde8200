"""Movies as assets and ops: one partition a movie, many movies a run, and the tables that they are written to."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetExecutionContext,
    AssetMaterialization,
    AssetObservation,
    AssetSpec,
    Config,
    MaterializeResult,
    OpExecutionContext,
    Out,
    Output,
    asset,
    multi_asset,
    op,
)
from pydantic import Field

from tmdb_dagster.defs.events import log_events
from tmdb_dagster.defs.failures import clear_failures
from tmdb_dagster.defs.links import written_by
from tmdb_dagster.defs.metadata import MovieTally, exclusion_figures, image_metadata, ingest_metadata, movie_metadata
from tmdb_dagster.defs.partitions import movie_partitions, partition_of, tmdb_id_of
from tmdb_dagster.defs.resources import CatalogueResource
from tmdb_dagster.defs.run_figures import WEEKLY_INGEST, record_figures
from tmdb_dagster.defs.tables import MOVIE_TABLES, OWNERS, RULES, record_tables, row_counts, table_spec, table_written
from tmdb_dagster.defs.times import AFTER_DAILY_REFRESH
from tmdb_dagster.shown import visible
from tmdb_dagster.transform.attribution import attribution_markdown

if TYPE_CHECKING:
    from tmdb_dagster.pipeline.outcome import MovieOutcome
    from tmdb_dagster.pipeline.rebuild import Rebuilt
    from tmdb_dagster.pipeline.run import Run


WRITERS = ("weekly_ingest", "daily_refresh", "drain_refresh_queue", "ingest_movie", "batch_ingest", "add_movies")
"""The jobs that write movies, and what starts them."""
SCHEDULES = ("weekly_ingest_schedule", "daily_refresh_schedule")
SENSORS = ("refresh_worker", "retry_weekly_ingest", "retry_daily_refresh")


class MovieConfig(Config):
    """How a movie is materialised from its partition."""

    force_refresh: bool = Field(True, description="Ask TMDB even if the movie is complete and fresh.")


class IngestMovieConfig(Config):
    """Which movie to ingest."""

    tmdb_id: int = Field(description="TMDB id of the movie, such as 603.")
    force_refresh: bool = Field(False, description="Ask TMDB even if the movie is complete and fresh.")


class BatchIngestConfig(Config):
    """Which works to ingest again."""

    limit: int | None = Field(None, description="Most works; unset: 50, and 10 without force_refresh.")
    offset: int = Field(0, description="How many works to pass over, in the order of work_id.")
    force_refresh: bool = Field(False, description="All works; otherwise those that are not complete.")


class RebuildConfig(Config):
    """Which works to rebuild."""

    tmdb_ids: list[int] | None = Field(None, description="TMDB ids; unset: all works.")


@contextmanager
def tallied(context: OpExecutionContext) -> Iterator[MovieTally]:
    """The count of a run's movies; a run that lost some says so in the list of runs, however it ends."""
    tally = MovieTally()
    try:
        yield tally
    finally:
        if lost := tally.lost():
            context.instance.add_run_tags(context.run_id, {"movies": lost})


@contextmanager
def failure_recorded(context: OpExecutionContext, job: str, run: "Run", tally: MovieTally) -> Iterator[None]:
    """Record what a run did that fails because of its movies, and the tables where it has written any."""
    from tmdb_dagster.pipeline.errors import MostMoviesFailed, TmdbOutage

    started = time.monotonic()
    try:
        yield
    except (MostMoviesFailed, TmdbOutage):
        record_figures(context, job, ingest_metadata(tally, run.api_log.calls, time.monotonic() - started))
        if tally.written:
            record_tables(context, run.engine)
        raise


def record_movies(context: OpExecutionContext, tally: MovieTally, outcomes: "list[MovieOutcome]") -> None:
    """Count outcomes, and record each movie at its partition: what was written is materialised, a failure observed."""
    tally.add(outcomes)
    in_works = [outcome for outcome in outcomes if outcome.work_id is not None]
    if in_works:
        keys = [partition_of(outcome.tmdb_id) for outcome in in_works]
        context.instance.add_dynamic_partitions(str(movie_partitions.name), keys)
    written = [outcome for outcome in outcomes if outcome.status.written]
    log_events(
        context,
        [
            AssetMaterialization("movies", partition=partition_of(one.tmdb_id), metadata=movie_metadata(one))
            for one in written
        ],
    )
    # Dagster has a failed partition only where a run of that partition failed.
    log_events(
        context,
        [
            AssetObservation("movies", partition=partition_of(one.tmdb_id), metadata=movie_metadata(one))
            for one in in_works
            if one.status.failed
        ],
    )
    _record_images(context, written)
    for outcome in outcomes:
        if not outcome.status.fresh:
            log = context.log.info if outcome.status == "excluded" else context.log.warning
            log(visible(f"{outcome.title} ({outcome.tmdb_id}): {outcome.message}"))


def _record_images(context: OpExecutionContext, outcomes: "list[MovieOutcome]") -> None:
    """Record a materialisation of the images of every movie that has any; where nothing became of them, none."""
    changed = [(one, one.images) for one in outcomes if one.images is not None and one.images.changed]
    log_events(
        context,
        [
            AssetMaterialization(
                "movie_images", partition=partition_of(one.tmdb_id), metadata=image_metadata(report, one.poster_url)
            )
            for one, report in changed
        ],
    )
    for outcome, report in changed:
        if report.errors:
            more = f" and {len(report.errors) - 1} more" if len(report.errors) > 1 else ""
            context.log.warning(visible(f"{outcome.display_title}: images left at TMDB: {report.errors[0]}{more}"))


@asset(
    partitions_def=movie_partitions,
    deps=["candidates"],
    group_name="catalogue",
    owners=OWNERS,
    kinds={"tmdb", "postgres"},
    code_version=RULES.value,
    description="\n\n".join(
        [
            "Each movie of the catalogue: one call to TMDB, written to all tables. Its partition is its TMDB id.",
            written_by(WRITERS, schedules=SCHEDULES, sensors=SENSORS),
            attribution_markdown(with_justwatch=True),
        ]
    ),
)
def movies(
    context: AssetExecutionContext, config: MovieConfig, catalogue: CatalogueResource
) -> MaterializeResult[None]:
    """Ingest the movie of this partition."""
    from tmdb_dagster.pipeline.ingest import ingest_movie as ingest_one

    with catalogue.run(context.op_execution_context) as run:
        outcome = ingest_one(run, tmdb_id_of(context.partition_key), force_refresh=config.force_refresh)
    _record_images(context.op_execution_context, [outcome])
    return MaterializeResult(metadata=movie_metadata(outcome))


def _movie_table_spec(table: str) -> AssetSpec:
    more = (
        "Materialised without `candidates`, it takes in those that wait, which writes all tables of movies; where none "
        "wait, its rows are counted and TMDB is asked nothing."
    )
    return table_spec(table, group="catalogue", deps=["candidates", "movies"], more=more).replace_attributes(
        freshness_policy=AFTER_DAILY_REFRESH,
        code_version=None if table == "movie_responses" else RULES.value,  # answers are kept as they came
    )


@multi_asset(name="enrich_candidates", specs=[_movie_table_spec(table.name) for table in MOVIE_TABLES], can_subset=True)
def enrich_candidates(
    context: AssetExecutionContext, catalogue: CatalogueResource
) -> Iterator[MaterializeResult[None]]:
    """Ingest the candidates of this run, or those that wait, each a partition of `movies`, and log the ingest."""
    from tmdb_dagster.pipeline.errors import NoCandidates
    from tmdb_dagster.pipeline.ingest import ingest_candidates

    started = time.monotonic()
    repeated = [context.run.parent_run_id, context.run.root_run_id]
    chosen_here = "ingest_candidates" in (node.name for node in context.job_def.nodes)
    with tallied(context.op_execution_context) as tally, catalogue.run(context.op_execution_context) as run:
        try:
            with failure_recorded(context.op_execution_context, WEEKLY_INGEST, run, tally):
                batch = ingest_candidates(
                    run,
                    [context.run.run_id, *filter(None, repeated)],
                    partial(record_movies, context.op_execution_context, tally),
                    waiting=not chosen_here,
                )
        except NoCandidates:
            if chosen_here:
                raise
            context.log.info("No candidates wait: rows are counted, and TMDB is asked nothing.")
            yield from _table_results(context, row_counts(run.engine))
            return
        checked = {"movies checked": batch.movies_checked, "movies skipped": batch.movies_skipped}
        excluded = exclusion_figures(Counter(batch.exclusions) + tally.exclusions)
        figures = ingest_metadata(tally, run.api_log.calls, time.monotonic() - started)
        counts = row_counts(run.engine)
    record_figures(context.op_execution_context, WEEKLY_INGEST, checked | figures | excluded)
    yield from _table_results(context, counts)
    for table in sorted(counts.keys() - {key.to_user_string() for key in context.selected_asset_keys}):
        context.log_event(table_written(table, counts[table]))  # not asked for, and written all the same


def _table_results(
    context: AssetExecutionContext, counts: "Mapping[str, Mapping[str, Any]]"
) -> Iterator[MaterializeResult[None]]:
    for key in context.selected_asset_keys:
        yield MaterializeResult(asset_key=key, metadata=counts[key.to_user_string()], data_version=RULES)


@op(out=Out(dict, is_required=False))
def ingest_movie(
    context: OpExecutionContext, config: IngestMovieConfig, catalogue: CatalogueResource
) -> Iterator[Output[dict[str, Any]]]:
    """Ingest one movie by its TMDB id; complete and fresh ones are left as they are, unless force_refresh."""
    from tmdb_dagster.pipeline.ingest import ingest_movie as ingest_one

    with catalogue.run(context) as run:
        record = partial(record_movies, context, MovieTally())
        outcome = ingest_one(run, config.tmdb_id, force_refresh=config.force_refresh, on_settled=record)
        if outcome.status.written:
            record_tables(context, run.engine)
    yield Output(vars(outcome), metadata=movie_metadata(outcome))


@op(out=Out(dict))
def batch_ingest(
    context: OpExecutionContext, config: BatchIngestConfig, catalogue: CatalogueResource
) -> Output[dict[str, Any]]:
    """Ingest a page of works again: those that are not complete, or all with force_refresh."""
    from tmdb_dagster.pipeline.ingest import PageRequest, ingest_page

    with clear_failures():
        request = PageRequest(config.limit, config.offset, config.force_refresh)
    started = time.monotonic()
    with tallied(context) as tally, catalogue.run(context) as run:
        report = vars(ingest_page(run, request, partial(record_movies, context, tally)))
        metadata = ingest_metadata(tally, run.api_log.calls, time.monotonic() - started)
        record_tables(context, run.engine)
    return Output(report, metadata={**metadata, **{name: value for name, value in report.items() if value is not None}})


@op(out=Out(dict))
def rebuild_from_raw(
    context: OpExecutionContext, config: RebuildConfig, catalogue: CatalogueResource
) -> Output[dict[str, int]]:
    """Rebuild every derived table from TMDB's stored answers, without asking TMDB."""
    from tmdb_dagster.pipeline.rebuild import rebuild_from_raw as rebuild

    rebuilt = failed = 0

    def on_rebuilt(result: "Rebuilt") -> None:
        nonlocal rebuilt, failed
        rebuilt += len(result.work_ids)
        failed += len(result.problems)
        for tmdb_id, problem in result.problems.items():
            context.log.warning(visible(f"{tmdb_id}: {problem}"))
        context.log.info("Rebuilt %s works", rebuilt)

    with catalogue.database(context) as (engine, settings):
        rebuild(engine, settings, on_rebuilt, config.tmdb_ids)
        record_tables(context, engine)
    return Output({"rebuilt": rebuilt, "failed": failed}, metadata={"rebuilt": rebuilt, "failed": failed})
