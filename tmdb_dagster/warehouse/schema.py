"""The whole schema of this version as statements: what tables/ and sql/ declare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import create_mock_engine
from sqlalchemy.dialects import postgresql

from tmdb_dagster.warehouse.sql import definitions
from tmdb_dagster.warehouse.tables import metadata


def create_statements() -> list[str]:
    """The statements that make it in an empty schema, which is the search_path."""
    statements: list[str] = []
    dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]

    def note(statement: Any, *_: Any, **__: Any) -> None:
        statements.append(str(statement.compile(dialect=dialect)).strip())

    metadata.create_all(create_mock_engine("postgresql://", note), checkfirst=False)
    return [*statements, *definitions().values()]


def drop_statements() -> Iterator[str]:
    """The statements that remove it, with all that it holds, but for what later revisions' downgrades have removed."""
    for name, sql in reversed(definitions().items()):
        yield f"DROP VIEW IF EXISTS {name}" if "CREATE OR REPLACE VIEW" in sql else f"DROP FUNCTION IF EXISTS {name}"
    for table in reversed(metadata.sorted_tables):
        yield f"DROP TABLE IF EXISTS {table.name}"
