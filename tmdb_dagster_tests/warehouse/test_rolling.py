"""A migration while runs are at work disturbs neither them nor those that the version before starts afterwards."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pydantic import SecretStr

from tmdb_dagster.pipeline.ingest import ingest_movie
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster.warehouse.migrate import migrate
from tmdb_dagster_tests.warehouse.database import rows, until, value
from tmdb_dagster_tests.warehouse.test_schema import DUMPS

AT_WORK = "SELECT count(*) FROM works WHERE ingestion_status = 'ingesting'"


def test_runs_of_the_version_before_go_on(
    new_database: Callable[..., str],
    start_run: Callable[..., Run],
    later_version: Callable[..., None],
    sandbox: SandboxServer,
) -> None:
    address = SecretStr(new_database())
    in_flight = _migrated(address, start_run)
    catalogue = in_flight.engine
    later_version("ALTER TABLE works ADD COLUMN mood text")
    sandbox.faults.add(Fault("/movie/603", "delay", delay_s=2))

    with ThreadPoolExecutor() as pool:
        ingest = pool.submit(ingest_movie, in_flight, 603)
        until(lambda: value(catalogue, AT_WORK) == 1, "the movie to be asked for")
        migrate(catalogue)
        assert value(catalogue, AT_WORK) == 1
        assert ingest.result().status == "ingested"

    assert value(catalogue, "SELECT version_num FROM catalogue_version") == "0199"
    assert ingest_movie(start_run("started later", database_url=address), 550).status == "ingested"
    assert rows(catalogue, "SELECT mood, ingestion_status FROM works") == [(None, "complete")] * 2


def _migrated(address: SecretStr, start_run: Callable[..., Run]) -> Run:
    """A run of this version, on what it made of the tables of the last release."""
    engine = connect(address.get_secret_value())
    with engine.begin() as connection:
        connection.exec_driver_sql(DUMPS[-1].read_text(), execution_options={"no_parameters": True})
    engine.dispose()
    migrate(engine)
    engine.dispose()
    return start_run("in flight", database_url=address)
