"""`python -m benchmarks.peers --python PATH`: whole processes side by side, ours and what a reader may install instead.

python3 -m venv peers && peers/bin/pip install 'dlt[postgres]' airbyte-cdk psycopg2-binary
.venv/bin/python -m benchmarks.peers --python peers/bin/python
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import click
from sqlalchemy import make_url

from benchmarks.dagster_cost import empty_job, execute_job, weekly
from benchmarks.enrichment import show_machine
from benchmarks.measure import Cost, run
from benchmarks.report import Target, show_table, show_targets
from benchmarks.stage import MOVIE_QUERY, Postgres, Sandbox, environment, postgres, sandbox

REPETITIONS = 3

JOB = "dagster job execute -j weekly_ingest"
BARE = "bare script, 20 threads, 9 tables"
AIRBYTE = "Airbyte's CDK, raw rows"
DLT = "dlt, parallel, raw rows"


@click.command()
@click.option("--python", "interpreter", type=Path, required=True, help="A Python that has dlt and airbyte-cdk.")
@click.option("--movies", default="100,300", show_default=True, help="How many movies, several by commas.")
def main(interpreter: Path, movies: str) -> None:
    """Measure, by turns, each in a new process on a new database, from its start to its end. No limit, no images."""
    targets = []
    with postgres() as server, sandbox() as tmdb:
        show_machine(server)
        empty_job(server, tmdb)  # makes Dagster's own tables
        for count in map(int, movies.split(",")):
            targets += _measure(server, tmdb, interpreter.absolute(), count)
    show_targets(targets)


def _measure(server: Postgres, tmdb: Sandbox, interpreter: Path, count: int) -> list[Target]:
    movie_ids = tmdb.popular(count)
    tmdb.warm(movie_ids)
    contestants: dict[str, Callable[[], Cost]] = {
        BARE: partial(_script, server, tmdb, "benchmarks.bare_script", movie_ids),
        "our use case, 20 threads": partial(_script, server, tmdb, "benchmarks.pipeline", movie_ids),
        AIRBYTE: partial(_peer, server, tmdb, interpreter, "airbyte_rows", movie_ids),
        DLT: partial(_peer, server, tmdb, interpreter, "dlt_rows", movie_ids),
        JOB: partial(execute_job, server, tmdb, "weekly_ingest", weekly(count)),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in contestants}
    calls: dict[str, int] = {}
    for _ in range(REPETITIONS):
        for name, start in contestants.items():
            tmdb.reset()
            costs[name].append(start())
            calls[name] = tmdb.stats()["calls"]
    wall_s = {name: median(cost.wall_s for cost in of) for name, of in costs.items()}
    click.echo(f"\n{count} movies, whole processes, median of {REPETITIONS}")
    show_table(
        ["", "", "wall s", "CPU s", "peak MB", "calls"],
        [
            [
                name,
                "",
                f"{wall_s[name]:.1f}",
                f"{median(cost.cpu_s for cost in of):.1f}",
                f"{median(cost.peak_mb for cost in of):.0f}",
                str(calls[name]),
            ]
            for name, of in costs.items()
        ],
    )
    return [
        Target(f"{count} movies: weekly_ingest / Airbyte's raw rows", wall_s[JOB] / wall_s[AIRBYTE], 1.05),
        Target(f"{count} movies: weekly_ingest / dlt's raw rows", wall_s[JOB] / wall_s[DLT], 1.0),
        Target(f"{count} movies: CPU seconds of weekly_ingest", median(cost.cpu_s for cost in costs[JOB]), 5.5),
    ]


def _script(server: Postgres, tmdb: Sandbox, module: str, movie_ids: list[int]) -> Cost:
    with server.fresh() as database:
        variables = environment(tmdb, database, rate_limit="unlimited")
        return run([sys.executable, "-m", module], environment=variables, folder=server.folder, stdin=movie_ids)


def _peer(server: Postgres, tmdb: Sandbox, interpreter: Path, script: str, movie_ids: list[int]) -> Cost:
    with server.fresh() as database:
        address = make_url(database)
        task = {
            "movie_ids": movie_ids,
            "api_url": tmdb.api_url,
            "query": MOVIE_QUERY | {"api_key": "benchmark"},
            "database": {"host": address.query["host"], "user": address.username, "dbname": address.database},
            "folder": str(server.folder / database.rpartition("/")[2][:30]),
        }
        variables = environment(tmdb, database, rate_limit="unlimited")
        command = [str(interpreter), str(Path(__file__).with_name(f"{script}.py"))]
        cost = run(command, environment=variables, folder=server.folder, stdin=task)
    if cost.result.get("movies") != len(movie_ids):
        raise RuntimeError(f"{script} loaded {cost.result.get('movies')} of {len(movie_ids)} movies:\n{cost.output}")
    return cost


if __name__ == "__main__":
    main()
