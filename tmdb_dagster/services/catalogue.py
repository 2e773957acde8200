"""The catalogue's database that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from tmdb_dagster.settings import Settings
from tmdb_dagster.warehouse.engine import check_schema, connect

CONNECTIONS = 8
"""A run keeps at most so many open, and opens two more for a moment: a free plan lends few, and calls wait longer."""


def catalogue_engine(settings: Settings, *, connections: int = CONNECTIONS) -> Engine:
    """An engine for the catalogue that the settings name; it opens no connection yet."""
    if settings.database_url is None:
        raise TypeError("settings.database_url is None: provide the services first")
    return connect(
        settings.database_url.get_secret_value(),
        schema=settings.database_schema,
        connections=min(connections, settings.tmdb_concurrency),
    )


@contextmanager
def open_catalogue(settings: Settings, ready: Callable[[Engine], None] = check_schema) -> Iterator[Engine]:
    """The database of the catalogue, at a schema that this version may run on, as `ready` finds or waits for it.

    Raises DatabaseUnavailable, SchemaNotCurrent, and what else of WarehouseError the database does then.
    """
    engine = catalogue_engine(settings)
    try:
        ready(engine)
        yield engine
    finally:
        engine.dispose()
