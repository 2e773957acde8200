"""The command `tmdb-dagster`: what `make` calls, and what an operator types."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from typing import Any, TextIO

import click

from tmdb_dagster.cli.process import UI_PORT, UI_URL, become
from tmdb_dagster.errors import TmdbDagsterError
from tmdb_dagster.logs import configure_logging
from tmdb_dagster.pipeline.garbage import keep_what_is_loaded
from tmdb_dagster.services.roles import ROLES, require
from tmdb_dagster.settings import Settings, SettingsError, load_settings
from tmdb_dagster.shown import counted, visible

CATALOGUE_PORT = 3001


class _ClearErrors(click.Group):
    """Shows our own errors as one message, without a stack trace."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TmdbDagsterError as error:
            raise click.ClickException(_shown(error)) from error


def _shown(error: Exception | str) -> str:
    """The text of an error, or another, without secrets, and with nothing that a terminal would obey but line ends."""
    text = str(error)
    with suppress(SettingsError):
        text = load_settings().redact(text)
    return "\n".join(visible(line) for line in text.splitlines())


@click.group(cls=_ClearErrors)
@click.version_option(package_name="tmdb-dagster")
def main() -> None:
    """Keeps a movie catalogue fresh: from TMDB into Postgres."""
    with suppress(SettingsError):  # the command says what is wrong with them
        settings = load_settings()
        configure_logging(settings.log_format, settings.redact)
    keep_what_is_loaded()


@main.command()
@click.option("--dry-run", is_flag=True, help="Print the plan with its SQL, and touch nothing.")
def migrate(dry_run: bool) -> None:
    """Bring the database to the current schema, also one of the old system's; safe to repeat."""
    from tmdb_dagster.cli.migration import show_plan, show_start
    from tmdb_dagster.services.image_store import unreadable_images
    from tmdb_dagster.services.provide import provide_database
    from tmdb_dagster.warehouse.engine import HEAD, address, connect
    from tmdb_dagster.warehouse.migrate import migrate as upgrade
    from tmdb_dagster.warehouse.migrate import plan_migration

    settings = load_settings()
    if dry_run and settings.database_url is None:
        raise click.ClickException("DATABASE_URL is not set: the embedded database is kept current by itself.")
    if problem := unreadable_images(settings):
        click.echo(f"Note: no job can run yet. {problem}", err=True)
    settings = provide_database(settings)
    url = _url(settings)
    engine = connect(url, schema=settings.database_schema)
    if dry_run:
        plan = plan_migration(engine, settings.database_schema)
        show_plan(plan, script_in=settings.database_schema)
        raise click.exceptions.Exit(1 if plan.refusals else 0)
    started = time.monotonic()
    if upgrade(engine, settings.database_schema, show_start).steps:
        click.echo(f"That took {time.monotonic() - started:.1f} s.")
    click.echo(f"{address(url)} is at revision {HEAD}.")


@main.command()
@click.option("--source", default="all", show_default=True, help="Lists to ask.")
@click.option("--max-movies", default=50, show_default=True, help="Most new movies to ingest.")
@click.option("--pages-per-source", default=5, show_default=True, help="Most pages to ask of each list.")
def ingest(source: str, max_movies: int, pages_per_source: int) -> None:
    """Run the job weekly_ingest here and now, as the schedule does, and show how it goes."""
    from tmdb_dagster.cli.ingest import run_ingest
    from tmdb_dagster.pipeline.discover import IngestRequest
    from tmdb_dagster.services.provide import provide_services
    from tmdb_dagster.warehouse.engine import connect
    from tmdb_dagster.warehouse.migrate import migrate as upgrade
    from tmdb_dagster.warehouse.origin import require_room_for_sandbox

    request = IngestRequest(source, max_movies, pages_per_source)
    services = provide_services(load_settings(), click.echo)
    engine = connect(_url(services.settings), schema=services.settings.database_schema)
    if services.origin == "sandbox":
        require_room_for_sandbox(engine, services.settings.database_schema)
    upgrade(engine, services.settings.database_schema)
    run_ingest(engine, request, services.settings)


@main.command()
@click.argument("tmdb_ids", type=int, nargs=-1, required=True)
def refresh(tmdb_ids: tuple[int, ...]) -> None:
    """Put movies at the head of the refresh queue, by their TMDB ids; the sensor refresh_worker drains it."""
    from tmdb_dagster.services.catalogue import open_catalogue
    from tmdb_dagster.services.provide import provide_database
    from tmdb_dagster.warehouse.exclusions import excluded_among
    from tmdb_dagster.warehouse.refresh_queue import enqueue_requested
    from tmdb_dagster.warehouse.works import known_tmdb_ids

    with open_catalogue(provide_database(load_settings())) as engine, engine.begin() as connection:
        known = known_tmdb_ids(connection, tmdb_ids)
        excluded = excluded_among(connection, tmdb_ids)
        enqueue_requested(connection, sorted(known))
    click.echo(f"Queued {counted(len(known - excluded), 'movie')}.")
    if excluded:
        names = ", ".join(map(str, sorted(excluded)))
        raise click.ClickException(f"{names} is excluded: `tmdb-dagster include` lets it in again.")
    if unknown := sorted(set(tmdb_ids) - known):
        raise click.ClickException(
            f"The catalogue has no movie {', '.join(map(str, unknown))}: `tmdb-dagster add` adds it."
        )


_IDS = click.argument("tmdb_ids", type=click.IntRange(1, 2**31 - 1), nargs=-1, required=True)


@main.command()
@click.argument("names", nargs=-1)
@click.option("--file", "file", type=click.File(encoding="utf-8"), help="Names, one a line; # begins a remark.")
@click.option("--collection", "collections", is_flag=True, help="Add the rest of their collections, too.")
@click.option("--now", is_flag=True, help="Ingest them here and now, instead of by the queue.")
def add(names: tuple[str, ...], file: TextIO | None, collections: bool, now: bool) -> None:
    """Add movies: TMDB ids, IMDb ids, titles (with a year: "The Matrix (1999)"), addresses of their pages.

    Where a title means several movies they are shown, and nothing is added.
    """
    from tmdb_dagster.cli.addition import add_movies

    lines = [line.partition("#")[0].strip() for line in file] if file else []
    add_movies(load_settings(), [*names, *filter(None, lines)], collections=collections, now=now)


@main.command()
@_IDS
@click.option("--exclude", "excluded_for", metavar="REASON", help="Keep them out from now on, too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(tmdb_ids: tuple[int, ...], excluded_for: str | None, yes: bool) -> None:
    """Remove movies by their TMDB ids: rows, images and partitions. It needs the rights of the tables' owner."""
    from tmdb_dagster.cli.removal import remove_movies

    remove_movies(load_settings(), dict.fromkeys(tmdb_ids), excluded_for=excluded_for, yes=yes)


@main.command()
@_IDS
@click.option("--reason", help="Why, for whoever reads the table excluded_movies.")
def exclude(tmdb_ids: tuple[int, ...], reason: str | None) -> None:
    """Keep movies out by their TMDB ids: nothing ingests or refreshes them. What is there of them stays."""
    from tmdb_dagster.pipeline.remove import exclude_movies
    from tmdb_dagster.services.catalogue import open_catalogue
    from tmdb_dagster.services.provide import provide_database
    from tmdb_dagster.warehouse.works import known_tmdb_ids

    with open_catalogue(provide_database(load_settings())) as engine:
        exclude_movies(engine, tmdb_ids, reason)
        with engine.begin() as connection:
            known = known_tmdb_ids(connection, tmdb_ids)
    click.echo(f"Excluded {counted(len(set(tmdb_ids)), 'movie')}.")
    if known:
        click.echo(f"In the catalogue still: {', '.join(map(str, sorted(known)))}; `tmdb-dagster remove` removes them.")


@main.command()
@_IDS
def include(tmdb_ids: tuple[int, ...]) -> None:
    """Let movies in again that were excluded, by their TMDB ids."""
    from tmdb_dagster.pipeline.remove import include_movies
    from tmdb_dagster.services.catalogue import open_catalogue
    from tmdb_dagster.services.provide import provide_database

    with open_catalogue(provide_database(load_settings())) as engine:
        were = include_movies(engine, tmdb_ids)
    click.echo(f"Let in {counted(len(were), 'movie')}.")
    if others := sorted(set(tmdb_ids) - were):
        click.echo(f"Not excluded: {', '.join(map(str, others))}.")


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is everybody's.")
@click.option("--port", default=UI_PORT, show_default=True, help="Port of the UI.")
def ui(host: str, port: int) -> None:
    """Open the Dagster UI with the daemon that runs schedules; Ctrl+C ends both."""
    from tmdb_dagster.cli.ui import run_ui

    run_ui(load_settings(), host, port)


@main.command()
@click.option("--port", default=CATALOGUE_PORT, show_default=True, help="Port of the page, on this machine alone.")
@click.option("--dagster-url", default=UI_URL, show_default=True, help="Where Dagster's UI is.")
def catalogue(port: int, dagster_url: str) -> None:
    """Show the catalogue in a browser: posters, and a page for each movie; Ctrl+C ends it."""
    import uvicorn

    from tmdb_dagster.cli.ui import require_free
    from tmdb_dagster.services.catalogue import open_catalogue
    from tmdb_dagster.services.provide import provide_database, start_image_server
    from tmdb_dagster.web.app import catalogue_app

    settings = load_settings()
    require_free("The page", "127.0.0.1", port)
    settings = provide_database(settings)
    if settings.movie_images_store == "local" and settings.movie_images_public_url is None:
        start_image_server(settings.tmdb_dagster_state, dagster_url=dagster_url)
    with open_catalogue(settings) as engine:
        click.echo(f"The catalogue is at http://127.0.0.1:{port}; Ctrl+C ends it.")
        app = catalogue_app(lambda: engine, settings.redact, dagster_url=dagster_url)
        uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, log_level="error", access_log=False)


@main.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("role", type=click.Choice([name for name, role in ROLES.items() if role.command]))
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def serve(role: str, options: tuple[str, ...]) -> None:
    """Be one process of a deployment: Dagster's webserver or daemon, the code location, or a Celery worker.

    With TMDB_DAGSTER_ENV=production a service that the ROLE needs and the settings lack is an error, before anything
    starts. OPTIONS are those of the command that the role is, such as `webserver --read-only --host 0.0.0.0`:
    without --host it is reached from this machine alone.
    """
    settings = load_settings()
    require(settings, ROLES[role].needs)
    become(settings, *ROLES[role].command, *options)


@main.command()
def stop() -> None:
    """Stop the UI, and the embedded Postgres, sandbox and image server, which start again when they are needed."""
    from tmdb_dagster.cli.ui import stop_ui
    from tmdb_dagster.services.provide import stop_services

    state = load_settings().tmdb_dagster_state
    stopped = (["UI"] if stop_ui(state) else []) + stop_services(state)
    click.echo(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")


@main.command()
def clean() -> None:
    """Stop what runs here and remove all local state: embedded databases, images, logs."""
    from tmdb_dagster.cli.ui import stop_ui
    from tmdb_dagster.services.provide import remove_services

    state = load_settings().tmdb_dagster_state
    stop_ui(state)
    remove_services(state)
    click.echo(f"Removed {state}.")


@main.command()
def url() -> None:
    """Print the address of the embedded database, for psql, Grafana and others that take a folder as a host."""
    click.echo(_embedded_url())


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def psql(options: tuple[str, ...]) -> None:
    """Open the embedded database in psql; OPTIONS are psql's, such as -c "SELECT title FROM works"."""
    from tmdb_dagster.services.postgres import psql as program

    address = _embedded_url()
    os.execv(program(), [str(program()), address, *options])  # noqa: S606 - no shell wanted


@main.command()
def doctor() -> None:
    """Say what is wrong with the database, TMDB's key, the store of the images or Dagster, and how to mend it."""
    from tmdb_dagster.cli.doctor import examine

    problems = 0
    for finding, text in examine(load_settings()):
        click.echo(f"{finding}: {_shown(text)}", err=finding == "problem")
        problems += finding == "problem"
    if problems:
        raise click.exceptions.Exit(1)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def status(as_json: bool) -> None:
    """Show runs, calls, queue, catalogue and problems.

    Exit code 0: fine. 1: something needs a person. 2: it could not be looked at.
    """
    import orjson
    from rich.console import Console

    from tmdb_dagster.cli.status import show
    from tmdb_dagster.services.catalogue import open_catalogue
    from tmdb_dagster.services.provide import provide_database
    from tmdb_dagster.warehouse.health import read_health

    try:
        settings = provide_database(load_settings())
        with open_catalogue(settings) as engine, engine.begin() as connection:
            health = read_health(connection, settings.tmdb_rate_limit)
    except TmdbDagsterError as error:
        click.echo(f"Error: {_shown(error)}", err=True)
        raise click.exceptions.Exit(2) from error
    if as_json:
        click.echo(orjson.dumps(health, option=orjson.OPT_INDENT_2))
    else:
        show(health, Console())
    raise click.exceptions.Exit(1 if health.needs_a_person else 0)


@main.command()
def check() -> None:
    """Say of every invariant of the catalogue whether it holds; runs may be at work meanwhile.

    Exit code 0: all hold. 1: some are broken. 2: it could not be looked at.
    """
    from tmdb_dagster.cli.check import show_proof
    from tmdb_dagster.services.catalogue import open_catalogue
    from tmdb_dagster.services.provide import provide_database
    from tmdb_dagster.warehouse.checks.proof import prove

    try:
        settings = provide_database(load_settings())
        with open_catalogue(settings) as engine, engine.begin() as connection:
            code = show_proof(prove(connection, settings.redact))
    except TmdbDagsterError as error:
        click.echo(f"Error: {_shown(error)}", err=True)
        raise click.exceptions.Exit(2) from error
    raise click.exceptions.Exit(code)


@main.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(yes: bool) -> None:
    """Remove everything that came from TMDB: all movies with all their rows, all lists, all images."""
    from tmdb_dagster.pipeline.purge import purge as remove
    from tmdb_dagster.services.catalogue import open_catalogue
    from tmdb_dagster.services.image_store import open_store
    from tmdb_dagster.services.provide import provide_services
    from tmdb_dagster.warehouse.engine import address

    settings = provide_services(load_settings()).settings
    store = open_store(settings)
    where = f"the database at {address(_url(settings))}" + (f" and every file in {store.name}" if store else "")
    if not yes:
        click.confirm(f"Remove all movies from {where}? This cannot be undone.", abort=True)
    with open_catalogue(settings) as engine:
        movies, files = remove(engine, settings)
    click.echo(
        f"Removed {counted(movies, 'movie')} and {counted(files, 'file')}. "
        "Dagster's own history still shows the runs' events."
    )


@main.command(name="data-model")
def data_model() -> None:
    """Print the data model as Markdown, read from the database."""
    from tmdb_dagster.services.provide import provide_database
    from tmdb_dagster.warehouse.data_model import data_model as page
    from tmdb_dagster.warehouse.engine import connect

    settings = provide_database(load_settings())
    with connect(_url(settings), schema=settings.database_schema).begin() as connection:
        click.echo(page(connection), nl=False)


@main.command(name="card-schema")
@click.option("--short", is_flag=True, help="The short form, for lists.")
def card_schema(short: bool) -> None:
    """Print the JSON Schema of the cards in work_cards_cache."""
    from tmdb_dagster.transform.card_schema import CARD_SCHEMA, CARD_SHORT_SCHEMA

    click.echo(json.dumps(CARD_SHORT_SCHEMA if short else CARD_SCHEMA, indent=2))


def _embedded_url() -> str:
    from sqlalchemy import make_url

    from tmdb_dagster.services.provide import provide_database

    settings = load_settings()
    if settings.database_url is not None:
        raise click.ClickException("DATABASE_URL is set: it is the address, and no embedded database is used.")
    url = make_url(_url(provide_database(settings)))
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _url(settings: Settings) -> str:
    if settings.database_url is None:
        raise TypeError("settings.database_url is None: provide the database first")
    return settings.database_url.get_secret_value()
