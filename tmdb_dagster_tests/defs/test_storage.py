"""Dagster's storage in the database that the settings name, which is asked for when it is first used."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from dagster import DagsterInstance
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.pool import NullPool

from tmdb_dagster.cli.process import DAGSTER_YAML
from tmdb_dagster.services.errors import ServiceNotSet
from tmdb_dagster_tests.seaweed import S3Server


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


@pytest.mark.parametrize("in_webserver", [False, True])
def test_connections_that_the_server_ended_are_replaced(
    in_webserver: bool, state: Path, new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_DATABASE_URL", url := new_database())
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

    with DagsterInstance.get() as instance, create_engine(url, poolclass=NullPool).connect() as admin:
        if in_webserver:
            instance.optimize_for_webserver(statement_timeout=60_000, pool_recycle=3600, max_overflow=20)
        instance.add_dynamic_partitions("movie", ["603"])
        ended = admin.scalars(text(f"SELECT pg_terminate_backend(pid, 5000) {others}")).all()

        assert ended, "no connection is kept"
        assert instance.get_dynamic_partitions("movie") == ["603"]
        instance.add_dynamic_partitions("movie", ["604"])


def test_in_production_a_missing_address_is_an_error_before_the_first_use(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMDB_DAGSTER_ENV", "production")

    with pytest.raises(ServiceNotSet, match="set DAGSTER_DATABASE_URL"):
        DagsterInstance.get()


def test_in_production_without_a_state_folder_no_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    monkeypatch.setenv("TMDB_DAGSTER_ENV", "production")
    monkeypatch.setenv("DAGSTER_DATABASE_URL", "postgresql://127.0.0.1:1/never-used")
    monkeypatch.delenv("TMDB_DAGSTER_STATE")

    with (
        DagsterInstance.get() as instance,
        instance.compute_log_manager.capture_logs(["a-run", "compute_logs", "step"]),
    ):
        sys.stdout.write("printed")

    assert [path.name for path in tmp_path.iterdir()] == [state.name]


def test_what_a_run_prints_is_read_on_another_machine_and_goes_with_the_run(
    state: Path, s3_server: S3Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {**s3_server.variables(bucket), "MOVIE_IMAGES_STORE": "none", "COMPUTE_LOGS_BUCKET": bucket}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    key = ["a-run", "compute_logs", "step"]

    _on_machine("worker", tmp_path, monkeypatch)
    with DagsterInstance.get() as instance, instance.compute_log_manager.capture_logs(key):
        sys.stdout.write("printed")
        sys.stdout.flush()

    _on_machine("webserver", tmp_path, monkeypatch)
    with DagsterInstance.get() as instance:
        assert instance.compute_log_manager.get_log_data(key).stdout == b"printed"
        instance.compute_log_manager.delete_logs(prefix=["a-run"])
    assert "Contents" not in s3_server.client().list_objects_v2(Bucket=bucket)
    assert [path.name for path in state.iterdir()] == ["dagster"]


def _on_machine(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on temporary files are in another place."""
    (folder / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder / name))


def test_a_bucket_for_logs_without_dagster_aws_names_the_extra(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPUTE_LOGS_BUCKET", "logs")
    monkeypatch.setitem(sys.modules, "dagster_aws.s3", None)
    monkeypatch.delitem(sys.modules, "tmdb_dagster.defs.bucket_logs", raising=False)

    with pytest.raises(ServiceNotSet, match=r"install the extra `s3-logs` \(pip install 'tmdb-dagster\[s3-logs\]'\)"):
        _ = instance.compute_log_manager
