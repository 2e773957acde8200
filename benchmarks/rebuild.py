"""`python -m benchmarks.rebuild`: how fast stored answers become rows anew, and whether its memory grows with them."""

from __future__ import annotations

import resource
import sys

import click

from benchmarks.enrichment import show_machine
from benchmarks.measure import Cost, measured, run
from benchmarks.report import Target, show_table, show_targets
from benchmarks.stage import environment, postgres, sandbox
from tmdb_dagster.pipeline.rebuild import Rebuilt, rebuild_from_raw
from tmdb_dagster.services.catalogue import open_catalogue
from tmdb_dagster.settings import load_settings

FEWEST = 400
"""Movies a second, on two processors."""


@click.command()
@click.option("--movies", default="1000,4000", show_default=True, help="Two numbers of movies.")
@click.option("--alone", is_flag=True, hidden=True)
def main(movies: str, alone: bool) -> None:
    """Ingest the movies into a new database and rebuild them all, from the start of the process to its end."""
    if alone:
        _rebuild()
        return
    few, many = map(int, movies.split(","))
    costs: dict[int, Cost] = {}
    with sandbox(movies=many + 1000, latency_ms="0") as tmdb, postgres() as server:
        show_machine(server)
        for count in (few, many):
            with server.fresh() as database:
                variables = environment(tmdb, database)
                ingest = [sys.executable, "-m", "benchmarks.pipeline"]
                run(ingest, environment=variables, folder=server.folder, stdin=tmdb.popular(count))
                rebuild = [sys.executable, "-m", "benchmarks.rebuild", "--alone"]
                costs[count] = run(rebuild, environment=variables, folder=server.folder)
    steady = (many - few) / (costs[many].wall_s - costs[few].wall_s)
    lines = [
        [
            f"{count} movies",
            "",
            f"{cost.wall_s:.1f}",
            f"{cost.cpu_s:.1f}",
            f"{count / cost.wall_s:.0f}",
            f"{cost.peak_mb:.0f}",
            f"{cost.result['worker_mb']:.0f}",
        ]
        for count, cost in costs.items()
    ]
    show_table(["", "", "wall s", "CPU s", "movies/s", "peak MB", "a worker's"], lines)
    show_targets(
        [
            Target("milliseconds a movie, beyond the start", 1000 / steady, 1000 / FEWEST),
            Target(f"peak memory with {many} movies / with {few}", costs[many].peak_mb / costs[few].peak_mb, 1.1),
        ]
    )


def _rebuild() -> None:
    settings = load_settings()
    written = 0

    def count(rebuilt: Rebuilt) -> None:
        nonlocal written
        written += len(rebuilt.work_ids)

    with measured() as result:
        with open_catalogue(settings) as engine:
            rebuild_from_raw(engine, settings, count)
        result["movies"] = written
        result["worker_mb"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    main()
