from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster_tests.warehouse.old_system import TMDB_IDS, build_old_system


@pytest.fixture
def old_system(new_database: Callable[..., str]) -> Callable[..., Engine]:
    """Makes a database of the old system, with drifts."""

    def make(*drifts: str) -> Engine:
        engine = connect(new_database())
        build_old_system(engine, TMDB_IDS, *drifts)
        return engine

    return make
