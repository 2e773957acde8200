"""What a refresh costs: calls, time at the rate limit, two workers on one queue, finding what is stale."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click
from sqlalchemy import Engine, text

from benchmarks.report import Target, show_table, show_targets
from benchmarks.stage import Postgres, postgres
from tmdb_dagster.pipeline.enrich import enrich
from tmdb_dagster.pipeline.outcome import MovieOutcome
from tmdb_dagster.pipeline.refresh import DrainRequest, RefreshRequest, drain_queue, refresh_daily
from tmdb_dagster.pipeline.run import open_run
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import load_settings
from tmdb_dagster.warehouse.claims import Target as Movie
from tmdb_dagster.warehouse.engine import connect

LATENCY_MS = (30, 80)
LARGE = 100_000

_LARGE_CATALOGUE = f"""
    INSERT INTO works (tmdb_id, title, release_date, last_refreshed_at, ingestion_status)
    SELECT n::text, 'Movie ' || n,
        CASE WHEN n % 20 > 0 THEN current_date - (power(random(), 2) * 20000)::int + 60 END,
        now() - random() * interval '40 days', 'complete'
    FROM generate_series(1, {LARGE}) n;
    INSERT INTO works_meta (work_id, schema_version) SELECT work_id, 4 FROM works;
    ANALYZE works, works_meta, refresh_queue;
"""


@dataclass(frozen=True)
class Worker:
    """A run in a process of its own, with the settings of `variables`."""

    run_id: str
    variables: Mapping[str, str]

    def ingest(self, tmdb_ids: list[int]) -> None:
        """Fill the catalogue."""
        with self._run() as run:
            enrich(run, [Movie(tmdb_id, "") for tmdb_id in tmdb_ids], _ignore)

    def refresh(self, request: RefreshRequest) -> None:
        """The daily refresh."""
        with self._run() as run:
            refresh_daily(run, request, _ignore)

    def drain(self, request: DrainRequest) -> None:
        """One worker's share of the queue."""
        with self._run() as run:
            drain_queue(run, request, _ignore)

    def _run(self) -> Any:
        os.environ.update(self.variables)
        return open_run(load_settings(), run_id=self.run_id, job="benchmark", origin="tmdb")


def _ignore(_outcomes: list[MovieOutcome]) -> None:
    """What is measured is in the database."""


def _together(*tasks: tuple[Any, Any]) -> float:
    """Seconds until all tasks are done, each in a process of its own."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=task, args=(argument,)) for task, argument in tasks]
    start = time.perf_counter()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise click.ClickException("A worker failed; its error is above.")
    return time.perf_counter() - start


def _variables(server: SandboxServer, url: str, rate_limit: str) -> dict[str, str]:
    return {
        "DATABASE_URL": url,
        "TMDB_API_KEY": "benchmark",
        "TMDB_API_URL": server.api_url,
        "TMDB_RATE_LIMIT": rate_limit,
        "MOVIE_IMAGES_STORE": "none",
    }


def _change(engine: Engine, sql: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(sql))


def _one(engine: Engine, sql: str) -> Any:
    with engine.begin() as connection:
        return connection.execute(text(sql)).one()


def _logged_seconds(engine: Engine) -> float:
    """From the start of the refresh to its end, without the start of the process."""
    return float(_one(engine, "SELECT duration_ms / 1000.0 AS seconds FROM scheduled_ingestion_log").seconds)


def _daily(database: Postgres, rows: list[list[str]]) -> list[Target]:
    """100 works of which 5 changed and 20 are stale; then all 100 at the rate limit."""
    with database.fresh() as url, SandboxServer(movies=500, latency_ms=LATENCY_MS) as server:
        movies = list(server.catalogue.ids[:100])
        engine = connect(url)
        _together((Worker("first", _variables(server, url, "unlimited")).ingest, movies))
        _change(engine, "UPDATE works SET last_refreshed_at = last_refreshed_at - interval '1 day'")
        stale = ", ".join(f"'{movie}'" for movie in movies[50:70])
        old = f"UPDATE works SET last_refreshed_at = last_refreshed_at - interval '31 days' WHERE tmdb_id IN ({stale})"
        _change(engine, old)
        for movie in movies[:5]:
            server.catalogue.touch(movie)
        server.reset()
        _together((Worker("daily", _variables(server, url, "40/10s")).refresh, RefreshRequest()))
        seconds = _logged_seconds(engine)
        calls = server.stats.by_endpoint
        pages, asked = calls.get("/movie/changes", 0), calls.get("/movie/{id}", 0)
        rows.append(["100 works, 5 changed, 20 stale", f"{pages} pages + {asked} movies", f"{seconds:.1f}", "0"])
        targets = [Target("movies asked for: 5 changed and 20 stale", asked, 25)]
        engine.dispose()

    with database.fresh() as url, SandboxServer(movies=500, latency_ms=LATENCY_MS, rate_limit="40/10s") as server:
        movies = list(server.catalogue.ids[:100])
        engine = connect(url)
        _together((Worker("first", _variables(server, url, "40/10s")).ingest, movies))
        _change(engine, "UPDATE works SET last_refreshed_at = last_refreshed_at - interval '31 days'")
        time.sleep(10)  # the limit's window is empty again
        server.reset()
        request = RefreshRequest(use_changes=False)
        _together((Worker("daily", _variables(server, url, "40/10s")).refresh, request))
        seconds = _logged_seconds(engine)
        refused = server.stats.rate_limited
        rows.append(["100 stale works at 40/10s", f"{server.stats.calls} calls", f"{seconds:.1f}", str(refused)])
        targets += [
            Target("refresh of 100 beside what 40/10s demands (20 s)", seconds / 20, 1.1),
            Target("429s", refused, 0),
        ]
        engine.dispose()
    return targets


def _two_workers(database: Postgres, rows: list[list[str]]) -> list[Target]:
    """1,000 entries through two workers at once."""
    with database.fresh() as url, SandboxServer(movies=1100, latency_ms=(0, 0)) as server:
        movies = list(server.catalogue.ids[:1000])
        engine = connect(url)
        variables = _variables(server, url, "unlimited")
        _together((Worker("first", variables).ingest, movies))
        _change(engine, "INSERT INTO refresh_queue (work_id) SELECT work_id FROM works")
        server.reset()
        request = DrainRequest(max_items=1000)
        seconds = _together(*((Worker(name, variables).drain, request) for name in ("one", "two")))
        done = _one(
            engine,
            "SELECT count(*) FILTER (WHERE status = 'completed') AS completed, "
            "(SELECT count(*) FROM (SELECT FROM tmdb_api_logs GROUP BY tmdb_id HAVING count(*) <> 2) AS w) AS wrong, "
            "(SELECT min(movies_ingested) FROM scheduled_ingestion_log) AS least FROM refresh_queue",
        )
        label = f"1,000 entries, two workers ({done.least} and {1000 - done.least})"
        rows.append([label, f"{server.stats.calls} calls", f"{seconds:.1f}", str(server.stats.rate_limited)])
        engine.dispose()
    return [
        Target("entries not processed exactly once", done.wrong + 1000 - done.completed, 0),
        Target("calls for 1,000 entries", server.stats.calls, 1000),
    ]


def _stale(database: Postgres, rows: list[list[str]]) -> list[Target]:
    """The 200 most urgent of many works."""
    with database.fresh() as url:
        engine = connect(url)
        _change(engine, _LARGE_CATALOGUE)
        times = []
        for _ in range(9):
            start = time.perf_counter()
            with engine.begin() as connection:
                connection.execute(text("SELECT * FROM stale_works(200)")).all()
            times.append(time.perf_counter() - start)
        rows.append([f"stale_works(200) of {LARGE:,} works", "", f"{statistics.median(times):.4f}", ""])
        engine.dispose()
    return [Target("stale_works(200), milliseconds", 1000 * statistics.median(times), 50)]


@click.command()
def main() -> None:
    """Measure the refresh; about two minutes."""
    rows: list[list[str]] = []
    targets: list[Target] = []
    with postgres() as database:
        for part in (_daily, _two_workers, _stale):
            targets += part(database, rows)
    show_table(["what", "calls", "seconds", "429s"], rows)
    show_targets(targets)


if __name__ == "__main__":
    main()
