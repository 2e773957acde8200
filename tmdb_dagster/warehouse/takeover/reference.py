"""What this version makes: its migrations, run in a schema beside the live one that nobody ever sees."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.schema import CreateIndex

from tmdb_dagster.warehouse.tables import metadata
from tmdb_dagster.warehouse.takeover.catalog import Catalog, read_catalog


@dataclass(frozen=True)
class Reference:
    """A schema that all migrations have run in: its name and contents, until the transaction goes on.

    `declared` are the indexes that no revision makes: the tables' declarations name them, and they are built
    concurrently.
    """

    name: str
    catalog: Catalog
    declared: frozenset[str]


@contextmanager
def reference(connection: Connection, script: ScriptDirectory) -> Iterator[Reference]:
    """Make the reference; it is rolled back at the end."""
    name = f"tmdb_dagster_{uuid.uuid4().hex[:12]}"
    with connection.begin_nested() as made:
        connection.execute(text(f'CREATE SCHEMA "{name}"'))
        connection.execute(text(f'SET LOCAL search_path TO "{name}"'))
        with Operations.context(MigrationContext.configure(connection)):
            for revision in reversed(list(script.walk_revisions())):
                revision.module.upgrade()
        made_by_revisions = read_catalog(connection, name).index_names()
        indexes = {str(index.name): index for table in metadata.tables.values() for index in table.indexes}
        declared = frozenset(indexes.keys() - made_by_revisions)
        for index in sorted(declared):
            connection.execute(CreateIndex(indexes[index]))
        yield Reference(name, read_catalog(connection, name), declared)
        made.rollback()
