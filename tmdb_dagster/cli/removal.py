"""Shows what goes with movies, asks, and removes them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection

import click

from tmdb_dagster.cli.process import dagster_home
from tmdb_dagster.pipeline.remove import check_removal
from tmdb_dagster.pipeline.remove import remove_movies as remove
from tmdb_dagster.services.catalogue import open_catalogue
from tmdb_dagster.services.provide import provide_services
from tmdb_dagster.settings import Settings
from tmdb_dagster.shown import counted, visible

_PARTITIONS_TIMEOUT_S = 60


def remove_movies(settings: Settings, tmdb_ids: Collection[int], *, excluded_for: str | None, yes: bool) -> None:
    """Remove movies after a yes. Raises click.ClickException where nobody can be asked, and click.Abort for a no."""
    settings = provide_services(settings).settings
    with open_catalogue(settings) as engine:
        for movie in check_removal(engine, tmdb_ids):
            title = f"{movie.title} ({movie.year})" if movie.year else movie.title
            click.echo(
                visible(f"{movie.tmdb_id} {title}: {counted(movie.rows, 'row')}, {counted(movie.files, 'file')}")
            )
        if not yes:
            if not sys.stdin.isatty():
                raise click.ClickException("There is no terminal to ask at: add --yes. Nothing was removed.")
            click.confirm("Remove all of it? This cannot be undone.", abort=True)
        removed = remove(engine, settings, tmdb_ids, excluded_for=excluded_for)
    click.echo(f"Removed {counted(removed.movies, 'movie')} and {counted(removed.files, 'file')}.")
    _remove_partitions(settings, tmdb_ids)


def _remove_partitions(settings: Settings, tmdb_ids: Collection[int]) -> None:
    """By a process that imports Dagster, which this room does not."""
    command = [sys.executable, "-m", "tmdb_dagster.defs.partitions", *map(str, tmdb_ids)]
    try:
        with dagster_home(settings):
            subprocess.run(command, capture_output=True, timeout=_PARTITIONS_TIMEOUT_S, check=True)  # noqa: S603 - ours
    except subprocess.SubprocessError:
        click.echo("Dagster could not be reached: the sensor movie_partitions_sync removes their partitions.", err=True)
