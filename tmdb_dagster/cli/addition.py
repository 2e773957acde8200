"""Adds movies that a person names, and shows what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from uuid import uuid4

import click
from rich.console import Console

from tmdb_dagster.cli.progress import movie_bar
from tmdb_dagster.pipeline.add import ingest_movies, queue_movies, resolve
from tmdb_dagster.pipeline.outcome import MovieOutcome
from tmdb_dagster.pipeline.run import Run, open_run
from tmdb_dagster.services.provide import provide_services
from tmdb_dagster.settings import Settings
from tmdb_dagster.shown import counted, visible


def add_movies(settings: Settings, names: Sequence[str], *, collections: bool, now: bool) -> None:
    """Queue the movies, or ingest them now. Raises click.ClickException where one of them failed then."""
    services = provide_services(settings)
    run_id = f"add-{uuid4()}"
    with open_run(services.settings, run_id=run_id, job="tmdb-dagster add", origin=services.origin) as run:
        titles = resolve(run, names, collections=collections)
        if now:
            _ingest(run, titles)
            return
        added = queue_movies(run, titles)
    queued = counted(added.queued, "movie")
    click.echo(f"Queued {queued}; the sensor refresh_worker drains the queue where the daemon runs.")
    if added.complete:
        there = counted(added.complete, "movie is", "movies are")
        click.echo(f"{there} in the catalogue already: `tmdb-dagster refresh` asks TMDB anew.")


def _ingest(run: Run, titles: dict[int, str]) -> None:
    console = Console(soft_wrap=True)
    bar = movie_bar(console)
    task = bar.add_task("Ingesting movies", total=len(titles))
    outcomes: list[MovieOutcome] = []

    def settled(new: list[MovieOutcome]) -> None:
        outcomes.extend(new)
        bar.update(task, completed=len(outcomes))

    with bar if console.is_terminal else nullcontext():
        ingest_movies(run, titles, settled)
    for outcome in outcomes:
        why = "" if outcome.status.fresh else f": {outcome.message}"
        click.echo(visible(f"{outcome.status}: {outcome.tmdb_id} {outcome.display_title}{why}"))
    if failed := sum(not outcome.status.fresh for outcome in outcomes):
        raise click.ClickException(f"{failed} of {counted(len(outcomes), 'movie')} could not be added.")
