"""What must hold of every table, read from its declaration: unique keys, no row without its movie, no time ahead, and
no secret."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from sqlalchemy import ARRAY, DateTime, LargeBinary, Row, Table, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB

from tmdb_dagster.warehouse.checks.check import EXAMPLES, Answer, Check, Redact, none_of
from tmdb_dagster.warehouse.tables import metadata

_CLOCKS_DIFFER_BY = "5 minutes"
"""A machine's clock may be ahead of the database's by so much."""

_PLANNED = {
    "works.retry_at": "31 days",
    "refresh_queue.due_at": "1 day",
    "image_inventory.next_attempt_at": "2 days",
    "run_leases.expires_at": "5 minutes",
    "rate_limits.blocked_until": "1 day",
}
"""Moments that are planned, and how far ahead they may be."""


def _wrong(selects: Iterable[str]) -> str:
    """For `none_of`: the rows (example) of several questions."""
    together = " UNION ALL ".join(selects)
    return f"SELECT example, count(*) OVER () AS found FROM ({together}) AS all_tables ORDER BY example"  # noqa: S608


def _unique_keys(table: Table) -> Iterator[tuple[list[str], str]]:
    """The columns of each key, and which rows it is about."""
    yield [column.name for column in table.primary_key], "true"
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield [column.name for column in constraint.columns], "true"
    for index in table.indexes:
        if index.unique:
            yield [column.name for column in index.columns], str(index.dialect_options["postgresql"]["where"])


def _doubles() -> Iterator[str]:
    for table in metadata.sorted_tables:
        for columns, where in _unique_keys(table):
            names = ", ".join(columns)
            present = " AND ".join(f"{name} IS NOT NULL" for name in columns)
            yield f"""(SELECT '{table.name}: ' || count(*) || ' rows with {names} '
                || concat_ws(', ', {names}) AS example FROM {table.name}
                WHERE {where} AND {present} GROUP BY {names} HAVING count(*) > 1 LIMIT {EXAMPLES})"""  # noqa: S608


def _orphans() -> Iterator[str]:
    for table in metadata.sorted_tables:
        for key in table.foreign_keys:
            column, other = key.parent.name, key.column
            yield f"""(SELECT '{table.name}: {column} ' || t.{column} AS example FROM {table.name} t
                WHERE t.{column} IS NOT NULL AND NOT EXISTS (
                    SELECT FROM {other.table.name} o WHERE o.{other.name} = t.{column}
                ) LIMIT {EXAMPLES})"""  # noqa: S608


def _times_ahead() -> Iterator[str]:
    for table in metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, DateTime):
                name = f"{table.name}.{column.name}"
                yield f"""SELECT '{name}: ' || max({column.name}) AS example FROM {table.name}
                    HAVING max({column.name}) > clock_timestamp()
                        + interval '{_PLANNED.get(name, _CLOCKS_DIFFER_BY)}'"""  # noqa: S608
    yield """SELECT 'rate_limits.permits: ' || moment FROM rate_limits, unnest(permits) AS moment
        WHERE moment > clock_timestamp() + interval '1 day'"""
    # Another system's cursor may be no date.
    yield """SELECT 'sync_state.last_sync_cursor: ' || sync_type || ' has come to ' || last_sync_cursor FROM sync_state
        WHERE last_sync_cursor ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}'
            AND left(last_sync_cursor, 10) > ((clock_timestamp() AT TIME ZONE 'UTC')::date)::text"""


def _texts() -> Iterator[str]:
    """All that is text, one row a row."""
    for table in metadata.sorted_tables:
        words = [_words(column.name, column.type) for column in table.columns]
        told = ", ".join(word for word in words if word)
        bodies = [column.name for column in table.columns if isinstance(column.type, LargeBinary)]
        body = bodies[0] if bodies else "NULL::bytea"
        if told or bodies:
            yield f"SELECT '{table.name}' AS place, concat_ws(E'\\n', NULL, {told or 'NULL'}) AS words, {body} AS body FROM {table.name}"  # noqa: E501, S608


def _words(name: str, kind: Any) -> str | None:
    if isinstance(kind, ARRAY):
        return f"array_to_string({name}, E'\\n')" if isinstance(kind.item_type, Text) else None
    return f"{name}::text" if isinstance(kind, Text | JSONB) else None


def _search(rows: Iterable[Row[Any]], redact: Redact) -> Answer:
    """Whether a text holds a secret, in whatever form."""
    # Compared here: a secret in a statement would be in the server's own log.
    searched = 0
    found: dict[str, int] = {}
    for row in rows:
        searched += 1
        text = row.words if row.body is None else row.words + _unpacked(bytes(row.body))
        if redact(text) != text:
            found[row.place] = found.get(row.place, 0) + 1
    examples = [f"{place}: {count} rows" for place, count in sorted(found.items())]
    figures = {"rows searched": searched, "rows with a secret": sum(found.values())}
    return Answer(not found, f"Rows that hold a secret: {sum(found.values())}.", figures, examples[:EXAMPLES])


def _unpacked(body: bytes) -> str:
    with suppress(OSError, EOFError):
        body = gzip.decompress(body)
    return body.decode("utf8", "replace")


TABLE_CHECKS = (
    Check(
        "keys_are_unique",
        "works",
        "error",
        "No row of any table is there twice by its keys, whatever became of its constraints.",
        "Delete the newer row of each pair, and run `tmdb-dagster migrate`.",
        none_of("double rows", _wrong(_doubles())),
    ),
    Check(
        "rows_have_their_movie",
        "works",
        "error",
        "No row names a work, batch or image that is not there.",
        "Delete these rows, and run `tmdb-dagster migrate`.",
        none_of("orphaned rows", _wrong(_orphans())),
    ),
    Check(
        "no_time_ahead",
        "works",
        "error",
        "No time, and no cursor of a job, lies in the future; what is planned is planned for a time that may come.",
        "Correct the machine's clock and these values: the jobs wait for such times.",
        none_of("times ahead", _wrong(_times_ahead())),
    ),
    Check(
        "no_secret_stored",
        "works",
        "error",
        "No text of any table, and no stored answer, holds a credential of the settings.",
        "Revoke the credential at its provider, set a new one, and delete these rows.",
        " UNION ALL ".join(_texts()),
        judge=_search,
    ),
)
