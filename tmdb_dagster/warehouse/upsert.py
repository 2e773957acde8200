"""One statement for any number of rows: INSERT … ON CONFLICT from a JSON array, typed by the table itself.

Postgres reads the JSON by the table's own row type, so a column that is TEXT[] in one database and JSONB in
another is filled either way. Rows that are already so are not rewritten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, TextClause, text

from tmdb_dagster.warehouse.engine import json_parameter


class Target(NamedTuple):
    """A table, and how a row that is there already is met by `key`.

    `stamps` are columns, or keys of JSON columns (`streaming.updated_at`), whose change alone rewrites nothing; `kept`
    are columns in which NULL replaces nothing.
    """

    table: str
    key: tuple[str, ...]
    stamps: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


@lru_cache(maxsize=64)
def _statement(target: Target, columns: tuple[str, ...]) -> TextClause:
    table, key, stamps, kept = target
    names = ", ".join(columns)
    content = [column for column in columns if column not in key and column not in stamps]
    without = {column: f" - '{key}'" for column, _, key in (stamp.partition(".") for stamp in stamps) if key}
    new = {column: f"EXCLUDED.{column}" for column in columns}
    new |= {column: f"coalesce(EXCLUDED.{column}, t.{column})" for column in kept}
    updates = ", ".join(f"{column} = {new[column]}" for column in columns if column not in key)
    stored = ", ".join(f"t.{column}" + without.get(column, "") for column in content)
    given = ", ".join(new[column] + without.get(column, "") for column in content)
    return text(
        f"INSERT INTO {table} AS t ({names}) "  # noqa: S608 - names of our own columns
        f"SELECT {names} FROM jsonb_populate_recordset(NULL::{table}, CAST(:rows AS jsonb)) "
        f"ORDER BY {', '.join(key)} "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates} "
        f"WHERE ({stored}) IS DISTINCT FROM ({given})"
    )


def upsert(connection: Connection, target: Target, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows, all with the same columns."""
    if rows:
        connection.execute(_statement(target, tuple(rows[0])), {"rows": json_parameter(rows)})
