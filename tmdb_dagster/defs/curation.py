"""Which movies are there by a person's word, as jobs: some are added, removed, kept out, or let in again."""

import time
from functools import partial
from typing import Any

from dagster import Config, OpExecutionContext, Out, Output, op
from pydantic import Field

from tmdb_dagster.defs.metadata import ingest_metadata
from tmdb_dagster.defs.movies import record_movies, tallied
from tmdb_dagster.defs.partitions import remove_partitions
from tmdb_dagster.defs.resources import CatalogueResource
from tmdb_dagster.defs.tables import record_tables


class AddMoviesConfig(Config):
    """Which movies to add."""

    movies: list[str] = Field(description="TMDB ids, IMDb ids, titles with their year, or addresses of their pages.")
    collections: bool = Field(False, description="Add the rest of their collections, too.")


class MoviesConfig(Config):
    """Which movies."""

    tmdb_ids: list[int] = Field(description="TMDB ids of the movies, such as 603.")


class RemoveMoviesConfig(MoviesConfig):
    """Which movies to remove."""

    exclude: str | None = Field(
        None, description="Keep them out from now on for this reason; unset: they may come back."
    )


class ExcludeMoviesConfig(MoviesConfig):
    """Which movies to keep out."""

    reason: str | None = Field(None, description="Why, for whoever reads the table excluded_movies.")


@op(out=Out(dict))
def add_movies(
    context: OpExecutionContext, config: AddMoviesConfig, catalogue: CatalogueResource
) -> Output[dict[str, int]]:
    """Add movies and ingest them at once. Where a title means several, the failure shows them, and nothing is added."""
    from tmdb_dagster.pipeline.add import ingest_movies, resolve

    started = time.monotonic()
    with tallied(context) as tally, catalogue.run(context) as run:
        titles = resolve(run, config.movies, collections=config.collections)
        ingest_movies(run, titles, partial(record_movies, context, tally))
        metadata = ingest_metadata(tally, run.api_log.calls, time.monotonic() - started)
        record_tables(context, run.engine)
    return Output(dict(tally.statuses), metadata=metadata)


@op(out=Out(dict))
def remove_movies(
    context: OpExecutionContext, config: RemoveMoviesConfig, catalogue: CatalogueResource
) -> Output[dict[str, Any]]:
    """Remove movies: rows, images and partitions. It needs the rights of the tables' owner."""
    from tmdb_dagster.pipeline.remove import remove_movies as remove

    with catalogue.database(context) as (engine, settings):
        removed = vars(remove(engine, settings, dict.fromkeys(config.tmdb_ids), excluded_for=config.exclude))
    remove_partitions(context.instance, config.tmdb_ids)
    return Output(removed, metadata=removed)


@op(out=Out(dict))
def exclude_movies(
    context: OpExecutionContext, config: ExcludeMoviesConfig, catalogue: CatalogueResource
) -> Output[dict[str, Any]]:
    """Keep movies out: nothing ingests or refreshes them. What is there of them stays."""
    from tmdb_dagster.pipeline.remove import exclude_movies as keep_out

    with catalogue.database(context) as (engine, _):
        keep_out(engine, config.tmdb_ids, config.reason)
    return Output({"excluded": config.tmdb_ids}, metadata={"excluded": len(config.tmdb_ids)})


@op(out=Out(dict))
def include_movies(
    context: OpExecutionContext, config: MoviesConfig, catalogue: CatalogueResource
) -> Output[dict[str, Any]]:
    """Let movies in again that were excluded."""
    from tmdb_dagster.pipeline.remove import include_movies as let_in

    with catalogue.database(context) as (engine, _):
        were = sorted(let_in(engine, config.tmdb_ids))
    return Output({"let in": were}, metadata={"let in": len(were)})
