"""How memory grows with the number of movies."""

from __future__ import annotations

import sys

import click

from benchmarks.dagster_cost import execute_job, weekly
from benchmarks.measure import run
from benchmarks.report import Target, show_table
from benchmarks.stage import Postgres, environment, sandbox

MOVIES = 10_000
CATALOGUE = 12_000
LIMIT_MB = 300


def measure_memory(server: Postgres) -> list[Target]:
    """Enrich 10,000 movies by the use case, and by the job, and compare their peaks with where they began."""
    click.echo(f"\nMemory of {MOVIES} movies, without a limit and latency")
    with sandbox(movies=CATALOGUE, latency_ms="0") as tmdb:
        movie_ids = tmdb.popular(MOVIES)
        with server.fresh() as database:
            alone = run(
                [sys.executable, "-m", "benchmarks.pipeline"],
                environment=environment(tmdb, database),
                folder=server.folder,
                stdin=movie_ids,
            )
        small = execute_job(server, tmdb, "weekly_ingest", weekly(20))
        job = execute_job(server, tmdb, "weekly_ingest", weekly(MOVIES, "mixed_weekly"))
    grown = {
        "the use case": (alone.result["base_mb"], alone.peak_mb, alone.wall_s),
        "dagster job execute": (small.peak_mb, job.peak_mb, job.wall_s),
    }
    show_table(
        ["", "", "base MB", "peak MB", "wall s"],
        [[name, "", f"{base:.0f}", f"{peak:.0f}", f"{wall:.0f}"] for name, (base, peak, wall) in grown.items()],
    )
    return [
        Target(f"{name}: MB above the base for {MOVIES} movies", peak - base, LIMIT_MB)
        for name, (base, peak, _) in grown.items()
    ]
