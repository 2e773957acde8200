"""How memory grows with the number of movies; `python -m benchmarks.memory` asks it of jobs that rehost images."""

from __future__ import annotations

import sys

import click

from benchmarks.dagster_cost import empty_job, execute_job, weekly
from benchmarks.images import image_host
from benchmarks.measure import run
from benchmarks.report import Target, show_table, show_targets
from benchmarks.stage import Postgres, environment, postgres, sandbox

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


@click.command()
@click.option("--movies", default="1000,5000", show_default=True, help="Two numbers of movies, of 23 images each.")
def main(movies: str) -> None:
    """Run weekly_ingest into a folder of images, and compare the peaks of memory. It takes about ten minutes."""
    few, many = map(int, movies.split(","))
    with sandbox(movies=many + 1000, latency_ms="0") as tmdb, postgres() as server, image_host() as (host, _):
        empty_job(server, tmdb)  # makes Dagster's own tables
        costs = {}
        for count in (few, many):
            folder = server.folder / f"images-{count}"
            folder.mkdir()
            costs[count] = execute_job(
                server,
                tmdb,
                "weekly_ingest",
                weekly(count, "mixed_weekly"),
                TMDB_IMAGE_URL=f"{host}/t/p",
                YOUTUBE_IMAGE_URL=f"{host}/vi",
                MOVIE_IMAGES_STORE="local",
                MOVIE_IMAGES_FOLDER=str(folder),
                MOVIE_IMAGES_PUBLIC_URL=host,
            )
            stored = sum(path.is_file() for path in folder.rglob("*"))
            click.echo(f"{count} movies: {stored} images, {costs[count].wall_s:.0f} s, {costs[count].peak_mb:.0f} MB")
    grown = costs[many].peak_mb / costs[few].peak_mb
    show_targets([Target(f"peak memory with {many} movies / with {few}", grown, 1.1)])


if __name__ == "__main__":
    main()
