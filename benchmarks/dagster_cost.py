"""What Dagster itself costs: loading the code location, a job of one movie, and the events of many movies."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from statistics import median
from typing import Any

import click

from benchmarks.measure import Cost, run
from benchmarks.report import Target, show_table
from benchmarks.stage import Postgres, Sandbox, environment
from tmdb_dagster.cli.process import installed

REPETITIONS = 3
_STEP = re.compile(r'Finished execution of step "enrich_candidates" in (?:(\d+)m)?([\d.]+)(ms|s)')


def measure_dagster(server: Postgres, tmdb: Sandbox, enrichment_s: Mapping[int, float]) -> list[Target]:
    """Measure and print; `enrichment_s` are the seconds that the use case alone took, by number of movies."""
    click.echo(f"\nDagster's own cost, median of {REPETITIONS}")
    execute_job(server, tmdb, "ingest_movie", _one_movie(603))  # makes Dagster's own tables
    loads: dict[str, list[Cost]] = {"dagster": [], "tmdb_dagster.definitions": []}
    movie = []
    for _ in range(REPETITIONS):
        for module, costs in loads.items():
            costs.append(_load(server, tmdb, module))
        movie.append(execute_job(server, tmdb, "ingest_movie", _one_movie(603)))
    lines = [[f"import {module}", "", *_columns(costs), "", "", ""] for module, costs in loads.items()]
    lines.append(["job execute -j ingest_movie", "1", *_columns(movie), "", "", ""])
    for count, alone_s in enrichment_s.items():
        ingests = [execute_job(server, tmdb, "weekly_ingest", weekly(count)) for _ in range(REPETITIONS)]
        step_s = median(step_seconds(cost.output) for cost in ingests)
        more_ms = (step_s - alone_s) / count * 1000
        line = [f"{step_s:.2f}", f"{alone_s:.2f}", f"{more_ms:+.1f}"]
        lines.append(["job execute -j weekly_ingest", str(count), *_columns(ingests), *line])
    show_table(["", "movies", "wall s", "CPU s", "peak MB", "step s", "without Dagster s", "more a movie ms"], lines)
    return [
        Target("the code location loads, seconds", _wall_s(loads["tmdb_dagster.definitions"]), 2.5),
        Target("dagster job execute of one movie, seconds", _wall_s(movie), 4.0),
    ]


def execute_job(server: Postgres, tmdb: Sandbox, job: str, config: dict[str, Any]) -> Cost:
    """A whole `dagster job execute` on a fresh catalogue."""
    config_file = server.folder / "run_config.yaml"
    config_file.write_text(json.dumps(config))  # JSON is YAML
    command = ["job", "execute", "-m", "tmdb_dagster.definitions", "-j", job, "-c", str(config_file)]
    with server.fresh() as database:
        return run(
            installed("dagster", *command), environment=_environment(server, tmdb, database), folder=server.folder
        )


def weekly(movies: int, source: str = "popular") -> dict[str, Any]:
    """The run config of weekly_ingest that ingests so many movies."""
    pages = min(500, movies // 20 + 5)  # some movies are on two pages
    config = {"source": source, "max_movies": movies, "pages_per_source": pages, "trigger_type": "manual"}
    return {"ops": {"ingest_candidates": {"config": config}}}


def step_seconds(output: str) -> float:
    """How long the step took, by Dagster's own log."""
    found = _STEP.search(output)
    if found is None:
        raise RuntimeError(f"No end of the step in the job's output:\n{output[-2000:]}")
    minutes, number, unit = found.groups()
    return int(minutes or 0) * 60 + float(number) / (1000 if unit == "ms" else 1)


def _one_movie(tmdb_id: int) -> dict[str, Any]:
    return {"ops": {"ingest_movie": {"config": {"tmdb_id": tmdb_id, "force_refresh": False}}}}


def _load(server: Postgres, tmdb: Sandbox, module: str) -> Cost:
    command = [sys.executable, "-c", f"import {module}"]
    return run(command, environment=_environment(server, tmdb, server.url("postgres")), folder=server.folder)


def _environment(server: Postgres, tmdb: Sandbox, database: str) -> dict[str, str]:
    return environment(tmdb, database) | {"DAGSTER_DATABASE_URL": server.url("dagster")}


def _wall_s(costs: list[Cost]) -> float:
    return median(cost.wall_s for cost in costs)


def _columns(costs: list[Cost]) -> list[str]:
    cpu_s, peak_mb = median(cost.cpu_s for cost in costs), median(cost.peak_mb for cost in costs)
    return [f"{_wall_s(costs):.2f}", f"{cpu_s:.2f}", f"{peak_mb:.0f}"]
