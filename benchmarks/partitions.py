"""What the UI takes for the partitions of `movies`, with more of them than Dagster recommends (100,000)."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
from dagster import AssetKey, AssetMaterialization, DagsterInstance
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from benchmarks.measure import run
from benchmarks.report import show_table
from benchmarks.stage import Postgres, postgres
from tmdb_dagster.defs.partitions import movie_partitions
from tmdb_dagster.settings import REPOSITORY, environment

COUNTS = (10_000, 100_000, 1_000_000)
MOVIES = AssetKey("movies")

_KEYS = """
    INSERT INTO dynamic_partitions (partitions_def_name, partition)
    SELECT :name, n::text FROM generate_series(2, :count) n
"""
_EVENTS = """
    INSERT INTO event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)
    SELECT run_id, event, dagster_event_type, timestamp, step_key, asset_key, n::text
    FROM event_logs, generate_series(2, :count) n WHERE partition = '1'
"""


def _fill(url: str, count: int) -> None:
    """One event and one key a movie, copied from the first one's."""
    with DagsterInstance.get() as instance:
        instance.add_dynamic_partitions(str(movie_partitions.name), ["1"])
        instance.report_runless_asset_event(AssetMaterialization(MOVIES, partition="1"))
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(_KEYS), {"name": movie_partitions.name, "count": count})
        connection.execute(text(_EVENTS), {"count": count})
        connection.execute(text("VACUUM ANALYZE"))


def _look() -> None:
    """What the UI asks, timed, as JSON; in a process of its own, for its memory."""
    with DagsterInstance.get() as instance:
        asked: dict[str, Callable[[], object]] = {
            "keys": lambda: instance.get_dynamic_partitions(str(movie_partitions.name)),
            "materialised": lambda: instance.get_materialized_partitions(MOVIES),
            "status, first time": lambda: get_and_update_asset_status_cache_value(instance, MOVIES, movie_partitions),
            "status again": lambda: get_and_update_asset_status_cache_value(instance, MOVIES, movie_partitions),
        }
        seconds = {}
        for name, ask in asked.items():
            start = time.perf_counter()
            ask()
            seconds[name] = time.perf_counter() - start
    print(json.dumps(seconds))


def _measure(server: Postgres, count: int) -> list[str]:
    url = server.url(f"dagster_{count}")
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "dagster.yaml").write_text(
            "storage: {postgres: {postgres_url: {env: DAGSTER_DATABASE_URL}}}\ntelemetry: {enabled: false}\n"
        )
        with environment(DAGSTER_HOME=home, DAGSTER_DATABASE_URL=url):
            _fill(url, count)
            command = [sys.executable, "-m", "benchmarks.partitions", "--look"]
            cost = run(command, environment=os.environ, folder=REPOSITORY)
    return [f"{count:,}", *(f"{seconds:.2f}" for seconds in cost.result.values()), f"{cost.peak_mb:.0f}"]


@click.command()
@click.option("--look", is_flag=True, help="Time what is asked of the instance at DAGSTER_HOME.")
def main(look: bool) -> None:
    """Measure and print."""
    if look:
        _look()
        return
    with postgres() as server:
        columns = ["partitions", "keys s", "materialised s", "status s", "status again s", "peak MB"]
        show_table(columns, [_measure(server, count) for count in COUNTS])


if __name__ == "__main__":
    main()
