"""What a movie leaves in the databases, at its first ingest and at each refresh: rows and bytes, by table."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import click
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from benchmarks.dagster_cost import weekly
from benchmarks.measure import run
from benchmarks.report import show_table
from benchmarks.stage import Postgres, Sandbox, environment, postgres, sandbox
from tmdb_dagster.cli.process import installed

MOVIES = 500
CATALOGUE = 4000
_LEAST_BYTES = 20
"""A table that grows by less a movie is not shown."""

_TABLES = """
    SELECT relname, pg_total_relation_size(oid) AS bytes FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
_STALE = "UPDATE works SET last_refreshed_at = last_refreshed_at - interval '400 days'"


class Size(NamedTuple):
    """A table's rows and its bytes, with indexes and what is stored beside it."""

    rows: int
    size: int


Sizes = dict[str, Size]


def _sizes(url: str) -> Sizes:
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))
        return {
            name: Size(int(connection.scalar(text(f"SELECT count(*) FROM {name}")) or 0), int(size))
            for name, size in connection.execute(text(_TABLES)).all()
        }


def _execute(server: Postgres, variables: dict[str, str], job: str, config: dict[str, Any]) -> float:
    file = server.folder / "run_config.yaml"
    file.write_text(json.dumps(config))  # JSON is YAML
    command = ["job", "execute", "-m", "tmdb_dagster.definitions", "-j", job, "-c", str(file)]
    return run(installed("dagster", *command), environment=variables, folder=server.folder).wall_s


def _show(what: str, seconds: float, before: Sizes, after: Sizes) -> None:
    click.echo(f"\n{what}: {MOVIES} movies in {seconds:.1f} s")
    lines = []
    for table in sorted(after, key=lambda name: before[name].size - after[name].size):
        grown = after[table].size - before[table].size
        if grown >= _LEAST_BYTES * MOVIES:
            rows = (after[table].rows - before[table].rows) / MOVIES
            lines.append([table, f"{rows:.2f}", f"{grown / MOVIES:,.0f}"])
    total = sum(size.size for size in after.values()) - sum(size.size for size in before.values())
    show_table(["", "rows a movie", "bytes a movie"], [*lines, ["all tables", "", f"{total / MOVIES:,.0f}"]])


def _measure(server: Postgres, tmdb: Sandbox, url: str) -> None:
    dagster = server.url("dagster")
    variables = environment(tmdb, url) | {"DAGSTER_DATABASE_URL": dagster}
    drain = {"max_stale": MOVIES, "max_items": MOVIES, "use_changes": False}
    jobs: list[tuple[str, dict[str, Any]]] = [
        ("weekly_ingest", weekly(MOVIES)),
        ("daily_refresh", {"ops": {"daily_refresh": {"config": drain}}}),
    ]
    _execute(server, variables, "ops_report", {})  # makes Dagster's own tables
    for job, config in jobs:
        before = _sizes(url), _sizes(dagster)
        seconds = _execute(server, variables, job, config)
        after = _sizes(url), _sizes(dagster)
        for name, old, new in zip(("the catalogue", "Dagster"), before, after, strict=True):
            _show(f"{job}, {name}", seconds, old, new)
        engine = create_engine(url, poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text(_STALE))


@click.command()
def main() -> None:
    """Measure and print."""
    with postgres() as server, sandbox(movies=CATALOGUE) as tmdb, server.fresh() as url:
        _measure(server, tmdb, url)


if __name__ == "__main__":
    main()
