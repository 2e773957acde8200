"""One statement for any number of rows: INSERT … ON CONFLICT from a JSON array, typed by the table itself.

Postgres reads the JSON by the table's own row type, so a column that is TEXT[] in one database and JSONB in
another is filled either way. Rows that are already so are not rewritten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, TextClause, text

from tmdb_dagster.warehouse.engine import json_parameter


@lru_cache(maxsize=64)
def _statement(table: str, key: tuple[str, ...], columns: tuple[str, ...], stamps: tuple[str, ...]) -> TextClause:
    names = ", ".join(columns)
    content = [column for column in columns if column not in key and column not in stamps]
    without = {column: f" - '{key}'" for column, _, key in (stamp.partition(".") for stamp in stamps) if key}
    updates = ", ".join(f"{column} = EXCLUDED.{column}" for column in columns if column not in key)
    stored = ", ".join(f"t.{column}" + without.get(column, "") for column in content)
    given = ", ".join(f"EXCLUDED.{column}" + without.get(column, "") for column in content)
    return text(
        f"INSERT INTO {table} AS t ({names}) "  # noqa: S608 - names of our own columns
        f"SELECT {names} FROM jsonb_populate_recordset(NULL::{table}, CAST(:rows AS jsonb)) "
        f"ORDER BY {', '.join(key)} "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates} "
        f"WHERE ({stored}) IS DISTINCT FROM ({given})"
    )


def upsert(
    connection: Connection,
    table: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    key: tuple[str, ...],
    stamps: tuple[str, ...] = (),
) -> None:
    """Write rows, all with the same columns.

    `stamps` are columns, or keys of JSON columns (`streaming.updated_at`), whose change alone rewrites nothing.
    """
    if rows:
        statement = _statement(table, key, tuple(rows[0]), stamps)
        connection.execute(statement, {"rows": json_parameter(rows)})
