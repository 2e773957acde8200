"""What a run costs Dagster's own database, which is asked more often than the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance, Definitions
from sqlalchemy import Engine, event, make_url

from tmdb_dagster.settings import REPOSITORY
from tmdb_dagster_tests.defs.conftest import execute_job

MOVIES = 12


@pytest.fixture
def instance(
    dagster_database: str, settings_environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DagsterInstance]:
    """Dagster's instance as dagster.yaml makes it."""
    monkeypatch.setenv("DAGSTER_DATABASE_URL", dagster_database)
    (tmp_path / "dagster.yaml").symlink_to(REPOSITORY / "dagster.yaml")
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


@contextmanager
def _watched(database: str) -> Iterator[tuple[list[Any], list[str]]]:
    """The connections that are opened to a database meanwhile, and the statements sent there."""
    opened: list[Any] = []
    statements: list[str] = []

    def connected(connection: Any, _: Any) -> None:
        if connection.info.dbname == database:
            opened.append(connection)

    def executed(connection: Any, _: Any, statement: str, *__: Any) -> None:
        if connection.engine.url.database == database:
            statements.append(statement)

    event.listen(Engine, "connect", connected)
    event.listen(Engine, "before_cursor_execute", executed)
    try:
        yield opened, statements
    finally:
        event.remove(Engine, "connect", connected)
        event.remove(Engine, "before_cursor_execute", executed)


def test_a_run_keeps_its_connection_and_stores_movies_that_settle_together_together(
    instance: DagsterInstance, code_location: Definitions, dagster_database: str
) -> None:
    instance.get_runs_count(), instance.get_dynamic_partitions("movies")  # makes Dagster's tables
    with _watched(str(make_url(dagster_database).database)) as (opened, statements):
        result = execute_job(
            code_location, instance, "weekly_ingest", source="popular", max_movies=MOVIES, pages_per_source=1
        )

    records = instance.fetch_materializations(AssetKey("movies"), limit=1000).records
    stored = [record.partition_key for record in records if record.run_id == result.run_id]
    rows = [statement.count("), (") + 1 for statement in statements if statement.startswith("INSERT INTO event_logs")]
    assert result.success
    assert len(set(stored)) == len(stored) == MOVIES
    assert 0 < len(opened) < 5
    assert sum(number for number in rows if number > 1) >= MOVIES - 1, "one movie may have settled alone"
