"""`python -m benchmarks.enrichment`: the pipeline beside a bare script on the same work, and Dagster's own cost."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

import click

from benchmarks.dagster_cost import Alone, measure_dagster, measure_limited_job
from benchmarks.measure import Cost, run
from benchmarks.memory import measure_memory
from benchmarks.report import Target, show_table, show_targets
from benchmarks.stage import LATENCY_MS, RATE_LIMITS, Postgres, Sandbox, environment, postgres, sandbox
from tmdb_dagster.clock import utc_now
from tmdb_dagster.rate_limit import RateLimit

HEADER = ["movies", "", "wall s", "range", "start s", "CPU s", "+ start", "peak MB", "calls", "429s", "10 s", "ratio"]
Script = Literal["bare, 20 threads", "ours, 20 threads"]

BARE: Script = "bare, 20 threads"
ALIKE: Script = "ours, 20 threads"
"""As it is without a setting, and like for like with the bare script."""

SCRIPTS: dict[Script, tuple[str, dict[str, str]]] = {
    BARE: ("benchmarks.bare_script", {}),
    ALIKE: ("benchmarks.pipeline", {}),
}
"""Their modules, and what is set for them."""


@dataclass(frozen=True)
class Run:
    """One measured run, and what the server counted meanwhile."""

    cost: Cost
    calls: int
    refused: int
    peak_10s: int

    @property
    def work_s(self) -> float:
        """Seconds from the first connection to the last commit, without the start of Python and imports."""
        return self.cost.result["wall_s"]


Runs = dict[tuple[Script, int], list[Run]]
"""By script and number of movies."""


@click.command()
@click.option("--movies", default="20,100,300", show_default=True, help="How many movies, several by commas.")
@click.option("--repetitions", default=3, show_default=True, help="Runs of each without the limit; the median counts.")
@click.option("--skip-limited", is_flag=True, help=f"Leave out the runs at {' and '.join(map(str, RATE_LIMITS))}.")
@click.option("--memory", is_flag=True, help="Measure the memory of 10,000 movies, too, which takes minutes.")
def main(movies: str, repetitions: int, skip_limited: bool, memory: bool) -> None:
    """Measure enrichment beside a bare script, and Dagster's own cost. Exits with 0 also where a target is missed."""
    counts = [int(count) for count in movies.split(",")]
    with postgres() as server:
        show_machine(server)
        targets = measure_unlimited(server, counts, repetitions)
        if not skip_limited:
            for limit, times in RATE_LIMITS.items():
                targets += measure_limited(server, counts, limit, times)
        if memory:
            targets += measure_memory(server)
    show_targets(targets)


def measure_unlimited(server: Postgres, counts: list[int], repetitions: int) -> list[Target]:
    """The scripts without a rate limit, and what Dagster adds."""
    click.echo(f"\nWithout a rate limit, {LATENCY_MS} ms latency, median of {repetitions}")
    with sandbox() as tmdb:
        runs = measure(server, tmdb, counts, repetitions)
        show_runs(runs, counts)
        targets = wall_targets(runs, "no limit", [ALIKE], [count for count in counts if count >= 300], 1.15)
        alone = {count: Alone(work_s(runs, BARE, count), work_s(runs, ALIKE, count)) for count in counts}
        return targets + measure_dagster(server, tmdb, alone)


def measure_limited(server: Postgres, counts: list[int], limit: RateLimit, repetitions: int) -> list[Target]:
    """The scripts at a limit, kept by the sandbox, whose counters judge."""
    rate_limit = str(limit)
    click.echo(f"\nAt {rate_limit}, {LATENCY_MS} ms latency, median of {repetitions}")
    with sandbox(rate_limit=rate_limit) as tmdb:
        runs = measure(server, tmdb, counts, repetitions, rate_limit=rate_limit)
        show_runs(runs, counts)
        # What fits into two windows waits for one of them, and hardly feels the limit.
        felt = [count for count in counts if count > 2 * limit.calls]
        bare_s = {count: work_s(runs, BARE, count) for count in felt}
        targets = wall_targets(runs, rate_limit, [ALIKE], felt, 1.05)
        targets += measure_limited_job(server, tmdb, bare_s, rate_limit, repetitions)
    refused = sum(run.refused for count in counts for run in runs[ALIKE, count])
    return [*targets, Target(f"{rate_limit}: calls refused (429)", refused, 0)]


def show_machine(server: Postgres) -> None:
    """When and where this is measured."""
    cpu = platform.processor() or platform.machine()
    if (about := Path("/proc/cpuinfo")).exists():
        names = [line.partition(":")[2].strip() for line in about.read_text().splitlines() if "model name" in line]
        cpu = next(iter(names), cpu)
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    click.echo(f"{utc_now():%Y-%m-%d %H:%M} UTC, {os.cpu_count()} x {cpu}, load {load}, {platform.system()},")
    click.echo(f"Python {platform.python_version()}, Postgres {server.version()} on the same machine")


def measure(
    server: Postgres,
    tmdb: Sandbox,
    counts: list[int],
    repetitions: int,
    *,
    rate_limit: str = "unlimited",
) -> Runs:
    """Run the scripts in turn, each in a new process on a new database."""
    movie_ids = tmdb.popular(max(counts))
    tmdb.warm(movie_ids)
    runs: Runs = {(script, count): [] for count in counts for script in SCRIPTS}
    for count in counts:
        for repetition in range(repetitions):
            order = list(SCRIPTS) if repetition % 2 == 0 else list(reversed(SCRIPTS))
            for script in order:
                tmdb.reset()
                module, settings = SCRIPTS[script]
                with server.fresh() as database:
                    cost = run(
                        [sys.executable, "-m", module],
                        environment=environment(tmdb, database, rate_limit=rate_limit) | settings,
                        folder=server.folder,
                        stdin=movie_ids[:count],
                    )
                if cost.result["movies"] != count:
                    raise RuntimeError(f"{script} wrote {cost.result['movies']:.0f} of {count} movies:\n{cost.output}")
                stats = tmdb.stats()
                runs[script, count].append(Run(cost, stats["calls"], stats["rate_limited"], stats["peak_10s"]))
    return runs


def work_s(runs: Runs, script: Script, count: int) -> float:
    """The median of the work's seconds."""
    return median(run.work_s for run in runs[script, count])


def wall_targets(runs: Runs, label: str, scripts: list[Script], counts: list[int], limit: float) -> list[Target]:
    """That the wall of `scripts` is at most `limit` times the bare script's."""
    return [
        Target(
            f"{label}: {count} movies, {script}: wall / bare script's",
            work_s(runs, script, count) / work_s(runs, BARE, count),
            limit,
        )
        for count in counts
        for script in scripts
    ]


def show_runs(runs: Runs, counts: list[int]) -> None:
    """Print the medians, and the wall beside the bare script's."""
    lines: list[list[str]] = []
    for count in counts:
        bare_s = work_s(runs, BARE, count)
        for script in SCRIPTS:
            done = runs[script, count]
            lines.append(
                [
                    str(count) if script == BARE else "",
                    script,
                    f"{work_s(runs, script, count):.2f}",
                    f"{min(run.work_s for run in done):.2f}-{max(run.work_s for run in done):.2f}",
                    f"{median(run.cost.wall_s - run.work_s for run in done):.2f}",
                    f"{median(run.cost.result['cpu_s'] for run in done):.2f}",
                    f"{median(run.cost.cpu_s for run in done):.2f}",
                    f"{median(run.cost.peak_mb for run in done):.0f}",
                    f"{median(run.calls for run in done):.0f}",
                    str(sum(run.refused for run in done)),
                    str(max(run.peak_10s for run in done)),
                    "" if script == BARE else f"{work_s(runs, script, count) / bare_s:.2f}",
                ]
            )
    show_table(HEADER, lines)


if __name__ == "__main__":
    main()
