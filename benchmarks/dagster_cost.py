"""What Dagster itself costs: loading the code location, a job of one movie, and the events of many movies."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import click

from benchmarks.measure import Cost, run
from benchmarks.report import Target, show_table
from benchmarks.stage import Postgres, Sandbox, environment
from tmdb_dagster.cli.process import installed

REPETITIONS = 3
_STEP = re.compile(r'Finished execution of step "enrich_candidates" in (?:(\d+)m)?([\d.]+)(ms|s)')


@dataclass(frozen=True)
class Alone:
    """Seconds that the same movies take without Dagster: the bare script, and the use case with as many threads."""

    bare_s: float
    use_case_s: float


def measure_dagster(server: Postgres, tmdb: Sandbox, alone: Mapping[int, Alone]) -> list[Target]:
    """Measure and print, by turns; `alone` is by number of movies."""
    click.echo(f"\nDagster's own cost, median of {REPETITIONS}")
    empty_job(server, tmdb)  # makes Dagster's own tables
    names = ("import dagster", "import tmdb_dagster.definitions", "an empty job", "job execute -j ingest_movie")
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    ingests: dict[int, list[Cost]] = {count: [] for count in alone}
    for _ in range(REPETITIONS):
        costs[names[0]].append(_load(server, tmdb, "dagster"))
        costs[names[1]].append(_load(server, tmdb, "tmdb_dagster.definitions"))
        costs[names[2]].append(empty_job(server, tmdb))
        costs[names[3]].append(execute_job(server, tmdb, "ingest_movie", _one_movie(603)))
        for count, runs in ingests.items():
            runs.append(execute_job(server, tmdb, "weekly_ingest", weekly(count)))
    lines = [[name, "", *_columns(of), "", "", ""] for name, of in costs.items()]
    empty_s = _wall_s(costs["an empty job"])
    targets = [
        Target("the code location loads, seconds", _wall_s(costs[names[1]]), 2.5),
        Target("ingest_movie beyond an empty job, seconds", _wall_s(costs[names[3]]) - empty_s, 0.5),
    ]
    for count, runs in ingests.items():
        step_s = median(step_seconds(cost.output) for cost in runs)
        beyond_s = _wall_s(runs) - empty_s
        figures = [f"{step_s:.2f}", f"{step_s / alone[count].use_case_s:.2f}", f"{beyond_s / alone[count].bare_s:.2f}"]
        lines.append(["job execute -j weekly_ingest", str(count), *_columns(runs), *figures])
        if count >= 300:
            targets += [
                Target(f"weekly_ingest of {count}: its step / the use case", step_s / alone[count].use_case_s, 1.3),
                Target(f"weekly_ingest of {count} beyond an empty job / bare", beyond_s / alone[count].bare_s, 1.8),
            ]
    show_table(["", "movies", "wall s", "CPU s", "peak MB", "step s", "/ use case", "beyond empty / bare"], lines)
    return targets


def measure_limited_job(
    server: Postgres, tmdb: Sandbox, bare_s: Mapping[int, float], rate_limit: str, repetitions: int
) -> list[Target]:
    """The whole job at a limit, beside an empty job and the bare script's seconds, by number of movies."""
    empty_s, targets = _wall_s([empty_job(server, tmdb) for _ in range(REPETITIONS)]), []
    for count, alone_s in bare_s.items():
        costs, refused = [], 0
        for _ in range(repetitions):
            tmdb.reset()
            costs.append(execute_job(server, tmdb, "weekly_ingest", weekly(count), rate_limit=rate_limit))
            refused += tmdb.stats()["rate_limited"]
        name = f"{rate_limit}: weekly_ingest of {count}"
        targets += [
            # Its pages are calls, too.
            Target(f"{name} beyond an empty job / bare script's", (_wall_s(costs) - empty_s) / alone_s, 1.05),
            Target(f"{name}: calls refused (429)", refused, 0),
        ]
    return targets


def empty_job(server: Postgres, tmdb: Sandbox) -> Cost:
    """A job of one step that does nothing."""
    return execute_job(server, tmdb, "empty", {}, module="benchmarks.empty")


def execute_job(  # noqa: PLR0913 - what a job is started with
    server: Postgres,
    tmdb: Sandbox,
    job: str,
    config: dict[str, Any],
    *,
    module: str = "tmdb_dagster.definitions",
    rate_limit: str = "unlimited",
    **variables: str,
) -> Cost:
    """A whole `dagster job execute` on a fresh catalogue; further keywords are environment variables."""
    config_file = server.folder / "run_config.yaml"
    config_file.write_text(json.dumps(config))  # JSON is YAML
    command = ["job", "execute", "-m", module, "-j", job, "-c", str(config_file)]
    with server.fresh() as database:
        inherited = _environment(server, tmdb, database, rate_limit)
        return run(installed("dagster", *command), environment=inherited | variables, folder=server.folder)


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


def _environment(server: Postgres, tmdb: Sandbox, database: str, rate_limit: str = "unlimited") -> dict[str, str]:
    return environment(tmdb, database, rate_limit=rate_limit) | {"DAGSTER_DATABASE_URL": server.url("dagster")}


def _wall_s(costs: list[Cost]) -> float:
    return median(cost.wall_s for cost in costs)


def _columns(costs: list[Cost]) -> list[str]:
    cpu_s, peak_mb = median(cost.cpu_s for cost in costs), median(cost.peak_mb for cost in costs)
    return [f"{_wall_s(costs):.2f}", f"{cpu_s:.2f}", f"{peak_mb:.0f}"]
