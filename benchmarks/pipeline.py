"""The use case that is measured: a list of TMDB ids (JSON, standard input) enriched with the settings as they are."""

from __future__ import annotations

import json
import sys

import sqlalchemy.dialects.postgresql.psycopg2  # noqa: F401 - a start's cost, as the bare script's psycopg2 is
import structlog  # noqa: F401 - likewise: a run imports it with its first line

from benchmarks.measure import measured, resident_mb
from tmdb_dagster.pipeline.enrich import enrich
from tmdb_dagster.pipeline.outcome import MovieOutcome, Status
from tmdb_dagster.pipeline.run import open_run
from tmdb_dagster.settings import load_settings
from tmdb_dagster.warehouse.claims import Target


def main() -> None:
    """Enrich the movies and report."""
    movie_ids: list[int] = json.load(sys.stdin)
    settings = load_settings()
    with measured() as result, open_run(settings, run_id="benchmark", job="benchmark", origin="sandbox") as run:
        result["open_mb"] = resident_mb("self", "VmRSS")
        targets = (Target(movie_id, f"TMDB movie {movie_id}") for movie_id in movie_ids)
        ingested = 0

        def count(outcomes: list[MovieOutcome]) -> None:
            nonlocal ingested
            ingested += sum(outcome.status is Status.INGESTED for outcome in outcomes)

        enrich(run, targets, count)
        result["movies"] = ingested


if __name__ == "__main__":
    main()
