"""What this version makes, made in a schema beside the live one that nobody ever sees."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, text

from tmdb_dagster.warehouse.schema import create_statements
from tmdb_dagster.warehouse.takeover.catalog import Catalog, read_catalog
from tmdb_dagster.warehouse.takeover.plan import execute


@dataclass(frozen=True)
class Reference:
    """A schema as this version makes it: its name and contents, until the transaction goes on."""

    name: str
    catalog: Catalog


@contextmanager
def reference(connection: Connection) -> Iterator[Reference]:
    """Make the reference; it is rolled back at the end, and the search_path is as before."""
    name = f"tmdb_dagster_{uuid.uuid4().hex[:12]}"
    with connection.begin_nested() as made:
        connection.execute(text(f'CREATE SCHEMA "{name}"'))
        connection.execute(text(f'SET LOCAL search_path TO "{name}"'))
        for statement in create_statements():
            execute(connection, statement)
        yield Reference(name, read_catalog(connection, name))
        made.rollback()
