"""One database for the catalogue and for Dagster, since a free plan has no second one."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import make_url

from tmdb_dagster.warehouse.engine import HEAD, VERSION_TABLE, check_schema, connect
from tmdb_dagster.warehouse.migrate import migrate
from tmdb_dagster_tests.defs.conftest import StartJob
from tmdb_dagster_tests.warehouse.database import value


def test_the_catalogue_and_dagster_share_a_database_in_either_order(
    start_job: StartJob, new_database: Callable[..., str], catalogue_url: str
) -> None:
    """A database that has the catalogue, then Dagster's tables; and one that has Dagster's, then the catalogue."""
    for url in (catalogue_url, new_database()):
        addresses = {"DATABASE_URL": url, "DAGSTER_DATABASE_URL": make_url(url).render_as_string(hide_password=False)}
        engine = connect(url)
        for _ in range(2):
            code = start_job(
                "ingest_movie", {"ops": {"ingest_movie": {"config": {"tmdb_id": 603}}}}, **addresses
            ).wait()
            has_catalogue = value(engine, "SELECT to_regclass('works') IS NOT NULL")
            assert (code == 0) == has_catalogue
            migrate(engine)
            check_schema(engine)
            migrate(engine)
        assert value(engine, f"SELECT version_num FROM {VERSION_TABLE}") == HEAD
        assert value(engine, "SELECT version_num FROM alembic_version") != HEAD
        assert value(engine, "SELECT count(*) FROM runs WHERE status = 'SUCCESS'") >= 1
        engine.dispose()
