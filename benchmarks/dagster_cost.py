"""What Dagster itself costs: loading the code location, a job of one movie, and the events of many movies."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import Cost, run
from benchmarks.report import Target, show_table
from benchmarks.stage import Postgres, Sandbox, environment
from tmdb_dagster.cli.process import dagster_command

REPETITIONS = 5
_STEP = re.compile(r'Finished execution of step "enrich_candidates" in (?:(\d+)m)?([\d.]+)(ms|s)')


def measure_dagster(server: Postgres, folder: Path, tmdb: Sandbox, enrichment_s: Mapping[int, float]) -> list[Target]:
    """Measure and print; `enrichment_s` are the seconds that the use case alone took, by number of movies."""
    print("\nDagster's own cost")
    imports = {
        name: median(_import(server, folder, tmdb, name).wall_s for _ in range(REPETITIONS))
        for name in ("dagster", "tmdb_dagster.definitions")
    }
    execute_job(server, folder, tmdb, "ingest_movie", _one_movie(603))  # makes Dagster's own tables
    movie = [execute_job(server, folder, tmdb, "ingest_movie", _one_movie(603)) for _ in range(REPETITIONS)]
    lines = [
        ["import dagster", "", f"{imports['dagster']:.2f}", "", ""],
        ["the code location (import tmdb_dagster.definitions)", "", f"{imports['tmdb_dagster.definitions']:.2f}", "", ""],
        ["dagster job execute -j ingest_movie", "1", *_columns(movie), ""],
    ]
    for count, alone_s in enrichment_s.items():
        weekly = [execute_job(server, folder, tmdb, "weekly_ingest", popular(count)) for _ in range(3)]
        step_s = median(step_seconds(cost.output) for cost in weekly)
        more = f"step {step_s:.2f} s, use case alone {alone_s:.2f} s: {(step_s - alone_s) / count * 1000:+.1f} ms a movie"
        lines.append(["dagster job execute -j weekly_ingest", str(count), *_columns(weekly), more])
    show_table(["", "movies", "wall s", "CPU s, peak MB", ""], lines)
    return [
        Target("the code location loads, seconds", imports["tmdb_dagster.definitions"], 2.5),
        Target("dagster job execute of one movie, seconds", median(cost.wall_s for cost in movie), 4.0),
    ]


def execute_job(server: Postgres, folder: Path, tmdb: Sandbox, job: str, config: dict[str, Any]) -> Cost:
    """A whole `dagster job execute` on a fresh catalogue."""
    with server.fresh() as database:
        return run(
            dagster_command(
                "job", "execute", "-m", "tmdb_dagster.definitions", "-j", job, "--config-json", json.dumps(config)
            ),
            environment=_environment(server, folder, tmdb, database),
            folder=folder,
        )


def popular(movies: int) -> dict[str, Any]:
    """The run config of weekly_ingest that ingests the most popular movies."""
    pages = min(500, movies // 20 + 5)  # some movies are on two pages
    config = {"source": "popular", "max_movies": movies, "pages_per_source": pages, "trigger_type": "manual"}
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


def _import(server: Postgres, folder: Path, tmdb: Sandbox, module: str) -> Cost:
    command = [sys.executable, "-c", f"import {module}"]
    return run(command, environment=_environment(server, folder, tmdb, server.url("postgres")), folder=folder)


def _environment(server: Postgres, folder: Path, tmdb: Sandbox, database: str) -> dict[str, str]:
    return environment(tmdb.api_url, database, folder) | {"DAGSTER_DATABASE_URL": server.url("dagster")}


def _columns(costs: list[Cost]) -> list[str]:
    cpu, peak = median(cost.cpu_s for cost in costs), median(cost.peak_mb for cost in costs)
    return [f"{median(cost.wall_s for cost in costs):.2f}", f"{cpu:.2f}, {peak:.0f}"]
