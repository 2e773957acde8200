"""Movies that were ingested yesterday, and a sandbox in which they change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.pipeline.daily_refresh.refreshing import MOVIES, StartRun, age
from tmdb_dagster_tests.pipeline.enriching import enriched, some_movies


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """A sandbox of the test's own, since movies change in it."""
    with SandboxServer(movies=300) as server:
        yield server


@pytest.fixture
def ingested(start_run: StartRun, sandbox: SandboxServer, engine: Engine) -> list[int]:
    """Movies that were ingested yesterday."""
    movies = some_movies(sandbox, MOVIES)
    assert {outcome.status for outcome in enriched(start_run(), movies).values()} == {"ingested"}
    age(engine, movies, days=1)
    sandbox.reset()
    return movies
