"""Every job runs as the role that deploy/postgres/pipeline_role.sql makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, Definitions
from sqlalchemy import Engine

from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import REPOSITORY
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster.warehouse.migrate import migrate
from tmdb_dagster_tests.defs.conftest import execute_job
from tmdb_dagster_tests.pipeline.enriching import some_movies
from tmdb_dagster_tests.warehouse.database import execute as change
from tmdb_dagster_tests.warehouse.database import value
from tmdb_dagster_tests.warehouse.old_system import COMBINED, build_old_system

ROLE_SCRIPT = REPOSITORY / "deploy/postgres/pipeline_role.sql"
OLD_ROWS = """
INSERT INTO tmdb_api_logs (endpoint, created_at) VALUES ('old', now() - interval '3 years');
INSERT INTO scheduled_ingestion_log (source, movies_checked, movies_skipped, movies_ingested, movies_failed,
    duration_ms, trigger_type, created_at)
    VALUES ('popular', 1, 0, 1, 0, 1500, 'manual', now() - interval '3 years');
INSERT INTO list_snapshots (run_id, source, rank, page, tmdb_id, fetched_at)
    VALUES ('old', 'popular', 1, 1, '1', now() - interval '3 years');
INSERT INTO ingest_batches (run_id, source, max_movies, pages_per_source, trigger_type, movies_checked, movies_skipped,
    started_at, closed_at)
    VALUES ('old', 'popular', 1, 1, 'manual', 1, 0, now() - interval '3 years', now() - interval '3 years');
"""
CLOSE_ALL = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    END LOOP;
END $$
"""


@pytest.fixture(params=["plain", "taken over"])
def catalogue_url(
    request: pytest.FixtureRequest, new_database: Callable[..., str], template: str, sandbox: SandboxServer
) -> str:
    """A new catalogue, and one of the old system with row level security on every table."""
    if request.param == "plain":
        return new_database(template)
    url = new_database()
    engine = connect(url)
    build_old_system(engine, some_movies(sandbox, 7), *COMBINED)
    migrate(engine)
    change(engine, CLOSE_ALL)
    engine.dispose()
    return url


@pytest.fixture
def _as_the_pipelines_role(
    engine: Engine, settings_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """The environment of a run by that role, with a store for the images."""
    role = f"pipeline_{engine.url.database}"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        script = ROLE_SCRIPT.read_text().replace("tmdb_dagster_pipeline", role)
        connection.exec_driver_sql(script, execution_options={"no_parameters": True})
    monkeypatch.setenv("DATABASE_URL", engine.url.set(username=role).render_as_string(hide_password=False))
    monkeypatch.setenv("MOVIE_IMAGES_STORE", "local")
    monkeypatch.setenv("MOVIE_IMAGES_FOLDER", str(tmp_path / "images"))
    monkeypatch.setenv("MOVIE_IMAGES_PUBLIC_URL", "http://images.example")
    yield
    change(engine, f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.usefixtures("_as_the_pipelines_role")
def test_every_job_runs_as_the_pipelines_role(
    code_location: Definitions, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    change(engine, OLD_ROWS)
    jobs: dict[str, dict[str, Any]] = {
        "weekly_ingest": {"max_movies": 3, "pages_per_source": 1},
        "ingest_movie": {"tmdb_id": some_movies(sandbox, 1)[0], "force_refresh": True},
        "batch_ingest": {"limit": 50, "force_refresh": True},
        "daily_refresh": {},
        "drain_refresh_queue": {},
        "repair_images": {"verify": True},
        "rebuild_from_raw": {},
        "retention": {},
        "ops_report": {},
        "data_quality": {},
        "add_movies": {"movies": [str(some_movies(sandbox, 1)[0])]},
        "exclude_movies": {"tmdb_ids": [999_999]},
        "include_movies": {"tmdb_ids": [999_999]},
        "remove_movies": {"tmdb_ids": some_movies(sandbox, 1)},
    }
    results = {job: execute_job(code_location, instance, job, **config) for job, config in jobs.items()}

    assert jobs.keys() == {job.name for job in code_location.jobs or ()}
    assert [job for job, result in results.items() if not result.success] == ["remove_movies"], "the owner's alone"
    removed = results["retention"].output_for_node("retention")
    for table in ("tmdb_api_logs", "scheduled_ingestion_log", "list_snapshots", "ingest_batches"):
        assert removed[table] == 1, table
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status <> 'complete'") == (
        value(engine, "SELECT count(*) FROM works WHERE tmdb_id IS NULL")
    )
