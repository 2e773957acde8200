"""`python -m benchmarks.large`: what runs by itself, and what operators ask, in a catalogue of a million movies.

Each question is asked as the program asks it. A filled catalogue of `--database` is used as it is, else one is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from statistics import median

import click
from sqlalchemy import Connection, Engine, text

from benchmarks.dagster_cost import empty_job, execute_job, weekly
from benchmarks.filler import fill
from benchmarks.report import Target, show_table, show_targets
from benchmarks.stage import Sandbox, postgres, sandbox
from tmdb_dagster.pipeline.enrich import enrich
from tmdb_dagster.pipeline.run import open_run
from tmdb_dagster.rate_limit import RateLimit
from tmdb_dagster.settings import load_settings
from tmdb_dagster.warehouse.catalogue import count_rows
from tmdb_dagster.warehouse.checks import CHECKS
from tmdb_dagster.warehouse.checks.check import find
from tmdb_dagster.warehouse.claims import Target as Movie
from tmdb_dagster.warehouse.claims import give_back_dead_claims
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster.warehouse.health import read_health
from tmdb_dagster.warehouse.refresh_queue import backlog, enqueue_stale, enqueue_unfinished, rescue_entries
from tmdb_dagster.warehouse.scores import score_prior
from tmdb_dagster.warehouse.tables import metadata
from tmdb_dagster.warehouse.works import known_tmdb_ids, refreshed_since

REPETITIONS = 5

VIEWS = (
    "v_api_calls_by_endpoint WHERE period = '30 days'",
    "v_api_calls_hourly WHERE hour > now() - interval '30 days'",
    "v_api_errors WHERE period = '30 days'",
    "v_movie_calls WHERE tmdb_id = '2000005'",
    "v_run_history WHERE ended_at > now() - interval '30 days'",
    "v_list_history WHERE fetched_at > now() - interval '30 days'",
    "v_queue_status",
    "v_image_coverage",
    "v_catalogue_health",
)


def rescue(connection: Connection) -> None:
    """What the sensor rescue_dead_work does each half minute."""
    give_back_dead_claims(connection)
    rescue_entries(connection)
    enqueue_unfinished(connection, 200)


def partitions(connection: Connection) -> None:
    """What the sensor movie_partitions_sync asks the catalogue."""
    movies, _ = refreshed_since(connection, ("2000-01-01", 0), 5000)
    known_tmdb_ids(connection, movies)


def data_quality(connection: Connection) -> None:
    """All checks of the job data_quality."""
    for check in CHECKS.values():
        find(connection, check)


def row_counts(connection: Connection) -> None:
    """What each run counts."""
    for table in metadata.tables:
        count_rows(connection, table)


def status(connection: Connection) -> None:
    """What `tmdb-dagster status` asks."""
    read_health(connection, RateLimit(40, 10))


def measured_ms(engine: Engine, ask: Callable[[Connection], object], repetitions: int) -> float:
    """The median, in milliseconds; what was changed is undone."""
    times = []
    for _ in range(repetitions):
        with engine.connect() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            started = time.perf_counter()
            ask(connection)
            times.append(1000 * (time.perf_counter() - started))
            connection.rollback()
    return median(times)


def view(name: str) -> Callable[[Connection], object]:
    """Reads a view."""
    return lambda connection: connection.execute(text(f"SELECT * FROM {name}")).all()


QUESTIONS: list[tuple[str, Callable[[Connection], object], float]] = [
    ("rescue, every half minute", rescue, 20),
    ("enqueue of 200 stale works", lambda connection: enqueue_stale(connection, 200), 20),
    ("the queue's backlog, every half minute", backlog, 200),
    ("partitions, each quarter of an hour", partitions, 200),
    ("row counts, each run", row_counts, 200),
    ("tmdb-dagster status", status, 1000),
    *((name, view(name), 2000.0) for name in VIEWS),
    ("data_quality", data_quality, 60_000),
]


@click.command()
@click.option("--movies", default=1_000_000, show_default=True, help="How many movies.")
@click.option("--calls", default=5_000_000, show_default=True, help="How many logged calls, of the last 90 days.")
@click.option("--database", help="Address of a catalogue that is filled already.")
@click.option("--checks", is_flag=True, help="Show each check's own time, too.")
def main(movies: int, calls: int, database: str | None, checks: bool) -> None:
    """Measure; filling takes about a quarter of an hour and 12 GB."""
    with ExitStack() as stack:
        if database is None:
            server = stack.enter_context(postgres())
            database = stack.enter_context(server.fresh())
            _first_movie(database)
            fill(connect(database), movies=movies, calls=calls)
        engine = connect(database)
        lines, targets = [], []
        for name, ask, limit in QUESTIONS:
            took_ms = measured_ms(engine, ask, REPETITIONS if limit < 60_000 else 1)
            lines.append([name, "", f"{took_ms:.1f}", f"{limit:g}"])
            targets.append(Target(f"{name}, ms", took_ms, limit))
        targets.append(_ingest_target(stack, database))
        prior = measured_ms(engine, lambda _: score_prior(engine, update=True), 1)
        lines.append(["the scores' prior, each weekly ingest", "", f"{prior:.1f}", ""])
        for check in CHECKS.values() if checks else ():
            took_ms = measured_ms(engine, partial(find, check=check), 1)
            lines.append([f"check {check.name}", "cheap" if check.cheap else "", f"{took_ms:.1f}", ""])
        engine.dispose()
    show_table(["what", "", "ms", "at most"], lines)
    show_targets(targets)


def _ingest_target(stack: ExitStack, database: str) -> Target:
    """What weekly_ingest of 50 new movies takes here, beside what it takes in a catalogue of 1,000, by turns."""
    server = stack.enter_context(postgres())
    tmdb = stack.enter_context(sandbox(latency_ms="0"))
    small = stack.enter_context(server.fresh())
    _ingest(small, tmdb, tmdb.popular(2000)[-1000:])
    empty_job(server, tmdb)  # makes Dagster's own tables
    seconds: dict[str, list[float]] = {small: [], database: []}
    config = weekly(50 * REPETITIONS)  # each run takes 50 that those before did not
    config["ops"]["ingest_candidates"]["config"]["max_movies"] = 50
    for _ in range(REPETITIONS):
        for address, took_s in seconds.items():
            took_s.append(execute_job(server, tmdb, "weekly_ingest", config, DATABASE_URL=address).wall_s)
    ratio = median(seconds[database]) / median(seconds[small])
    return Target("weekly_ingest of 50 movies, beside 1,000 works", ratio, 1.1)


def _first_movie(database: str) -> None:
    """Ingest one movie, of which the others are copies."""
    with sandbox(latency_ms="0") as tmdb:
        _ingest(database, tmdb, tmdb.popular(1))


def _ingest(database: str, tmdb: Sandbox, movie_ids: list[int]) -> None:
    settings = load_settings(
        database_url=database,
        tmdb_api_key="benchmark",
        tmdb_api_url=tmdb.api_url,
        tmdb_rate_limit="unlimited",
        movie_images_store="none",
    )
    with open_run(settings, run_id="filler", job="benchmark", origin="tmdb") as run:
        enrich(run, [Movie(movie_id, "") for movie_id in movie_ids], lambda _: None)


if __name__ == "__main__":
    main()
