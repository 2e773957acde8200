from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from sqlalchemy import URL, Engine

from tmdb_dagster.pipeline.discover import IngestRequest, discover
from tmdb_dagster.pipeline.ingest import ingest_candidates
from tmdb_dagster.pipeline.refresh import RefreshRequest, refresh_daily
from tmdb_dagster.pipeline.run import open_run
from tmdb_dagster.rate_limit import RateLimit
from tmdb_dagster.settings import Settings
from tmdb_dagster_tests.database_proxy import Proxy, database_proxy
from tmdb_dagster_tests.pipeline.enriching import ignore
from tmdb_dagster_tests.warehouse.database import rows

MOVIES = 20
LIMIT = RateLimit(1000, 1)
"""Never reached; with a limit each call asks the database for its permit."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/faults/" in str(item.path):
            item.add_marker(pytest.mark.long)


@pytest.fixture
def proxied(catalogue_url: str) -> Iterator[tuple[Proxy, URL]]:
    with database_proxy(catalogue_url) as proxied:
        yield proxied


@pytest.fixture
def proxy(proxied: tuple[Proxy, URL]) -> Proxy:
    """A proxy in front of the catalogue's server."""
    return proxied[0]


@pytest.fixture
def through_the_proxy(settings: Settings, proxied: tuple[Proxy, URL]) -> Settings:
    address = SecretStr(proxied[1].render_as_string(hide_password=False))
    return settings.model_copy(update={"database_url": address, "tmdb_rate_limit": LIMIT})


def ingest(settings: Settings, run_id: str) -> None:
    """What the two steps of weekly_ingest do."""
    with open_run(settings, run_id=run_id, job="weekly_ingest", origin="tmdb") as run:
        discover(run, IngestRequest("popular", MOVIES, 1))
        ingest_candidates(run, [run_id], ignore)


def refresh(settings: Settings, run_id: str) -> None:
    """What daily_refresh does."""
    with open_run(settings, run_id=run_id, job="daily_refresh", origin="tmdb") as run:
        refresh_daily(run, RefreshRequest(), ignore)


def assert_complete(engine: Engine, writes: int = 1) -> None:
    """Each movie is there once, and was written so many times since `note_writes`."""
    found = rows(
        engine, "SELECT ingestion_status, (SELECT count(*) FROM writes n WHERE n.work_id = w.work_id) FROM works w"
    )
    assert [tuple(row) for row in found] == [("complete", writes)] * MOVIES
