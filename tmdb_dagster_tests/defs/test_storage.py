"""Dagster's storage in the database that the settings name, which is asked for when it is first used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from dagster import DagsterInstance
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool

from tmdb_dagster.cli.process import DAGSTER_YAML
from tmdb_dagster.services.errors import ServiceNotSet


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder, where the package's own dagster.yaml is in use."""
    home = tmp_path / "state/dagster"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(DAGSTER_YAML.read_text("utf8"))
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("TMDB_DAGSTER_STATE", str(home.parent))
    return home.parent


@pytest.fixture
def instance(state: Path) -> Iterator[DagsterInstance]:
    with DagsterInstance.get() as instance:
        yield instance


@pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars` is deprecated")
def test_definitions_are_loaded_and_no_postgres_is_started(instance: DagsterInstance, state: Path) -> None:
    target = LoadableTargetOrigin(module_name="tmdb_dagster.definitions")

    location = InProcessCodeLocationOrigin(target).create_location(instance)

    [repository] = location.get_repositories().values()
    assert repository.has_job("weekly_ingest")
    assert [path.name for path in state.iterdir()] == ["dagster"]


def test_processes_that_use_an_empty_database_at_once_find_its_tables(
    state: Path, new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_DATABASE_URL", url := new_database())

    with DagsterInstance.get() as instance, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: instance.get_runs_count(), range(8))) == [0] * 8
        assert instance.get_dynamic_partitions("movie") == []
        assert instance.all_instigator_state() == []

    tables = inspect(create_engine(url, poolclass=NullPool)).get_table_names()
    assert {"runs", "event_logs", "jobs"} <= set(tables)


def test_in_production_a_missing_address_is_an_error_before_the_first_use(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMDB_DAGSTER_ENV", "production")

    with pytest.raises(ServiceNotSet, match="set DAGSTER_DATABASE_URL"):
        DagsterInstance.get()
