from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from tmdb_dagster.warehouse.errors import OriginMismatch
from tmdb_dagster.warehouse.origin import Origin, require_origin
from tmdb_dagster_tests.warehouse.database import add_work, rows, until, waits_for_a_lock


def require(engine: Engine, origin: Origin) -> None:
    with engine.begin() as connection:
        require_origin(connection, origin)


@pytest.mark.parametrize("origin", ["tmdb", "sandbox"])
def test_the_first_run_decides(engine: Engine, origin: Origin) -> None:
    require(engine, origin)
    require(engine, origin)

    assert [row.origin for row in rows(engine, "SELECT origin FROM catalogue_origin")] == [origin]


def test_the_sandbox_does_not_mix_into_tmdbs_movies(engine: Engine) -> None:
    require(engine, "tmdb")

    with pytest.raises(OriginMismatch, match="TMDB_READ_ACCESS_TOKEN or TMDB_API_KEY"):
        require(engine, "sandbox")


def test_tmdbs_movies_do_not_mix_into_the_sandboxs(engine: Engine) -> None:
    require(engine, "sandbox")

    with pytest.raises(OriginMismatch, match="use another database"):
        require(engine, "tmdb")


def test_a_database_that_was_filled_before_is_tmdbs(engine: Engine) -> None:
    add_work(engine, 603)

    with pytest.raises(OriginMismatch):
        require(engine, "sandbox")
    require(engine, "tmdb")


@pytest.mark.parametrize("second", ["tmdb", "sandbox"])
def test_of_two_first_runs_at_once_one_decides(engine: Engine, second: Origin) -> None:
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection:
            require_origin(connection, "tmdb")
            later = pool.submit(require, engine, second)
            until(lambda: waits_for_a_lock(engine), "the second run to wait for the first")

        error = later.exception()
    assert isinstance(error, OriginMismatch) if second == "sandbox" else error is None
    assert [row.origin for row in rows(engine, "SELECT origin FROM catalogue_origin")] == ["tmdb"]
