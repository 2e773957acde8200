"""What this version makes: its migrations, run in a schema beside the live one that nobody ever sees."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.schema import CreateIndex

from tmdb_dagster.warehouse.tables import metadata
from tmdb_dagster.warehouse.takeover.catalog import Catalog, read_catalog


@contextmanager
def reference(connection: Connection, script: ScriptDirectory) -> Iterator[tuple[str, Catalog]]:
    """The name and the contents of a schema that all migrations have run in; it is rolled back at the end.

    Indexes that only the tables' declarations name, so that they are built concurrently, are in it, too.
    """
    name = f"tmdb_dagster_{uuid.uuid4().hex[:12]}"
    with connection.begin_nested() as made:
        connection.execute(text(f'CREATE SCHEMA "{name}"'))
        connection.execute(text(f'SET LOCAL search_path TO "{name}"'))
        with Operations.context(MigrationContext.configure(connection)):
            for revision in reversed(list(script.walk_revisions())):
                revision.module.upgrade()
        made_by_revisions = read_catalog(connection, name).index_names()
        for table in metadata.tables.values():
            for index in sorted(table.indexes, key=lambda one: str(one.name)):
                if index.name not in made_by_revisions:
                    connection.execute(CreateIndex(index))
        yield name, read_catalog(connection, name)
        made.rollback()
