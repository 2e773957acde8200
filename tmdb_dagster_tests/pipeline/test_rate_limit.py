"""Which runs the shared rate limit holds up."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Engine

from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.rate_limit import RateLimit
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.pipeline.enriching import enriched, some_movies
from tmdb_dagster_tests.warehouse.database import value

CALLS, SECONDS = 4, 3.0


def test_an_unlimited_run_takes_no_part_in_the_limit_of_others(
    start_run: Callable[..., Run], sandbox: SandboxServer, engine: Engine
) -> None:
    movies = some_movies(sandbox, 16)
    limited, unlimited = start_run("limited", tmdb_rate_limit=RateLimit(CALLS, SECONDS)), start_run("unlimited")
    enriched(limited, movies[:CALLS])
    start = time.monotonic()

    enriched(unlimited, movies[CALLS : 3 * CALLS])

    assert time.monotonic() - start < SECONDS / 2, "it does not wait for others"
    assert value(engine, "SELECT cardinality(permits) FROM rate_limits") == CALLS
    enriched(limited, movies[3 * CALLS :])
    assert SECONDS / 2 < time.monotonic() - start < 2 * SECONDS, "others wait for their own calls alone"
