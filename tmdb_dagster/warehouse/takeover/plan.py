"""A plan: what is to be done to a database, step by step, and why it cannot be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, CursorResult


@dataclass(frozen=True)
class Step:
    """A transaction; or, `alone`, statements that Postgres runs outside of one.

    With a `revision` it is that revision of ours, which Alembic runs; its SQL is known to a dry run only.
    """

    what: str
    sql: tuple[str, ...]
    alone: bool = False
    revision: str | None = None


@dataclass
class Plan:
    """`found` says what the database holds. With refusals no step is taken; notes are what stays as it is, and why.

    `revision` is the one of ours that the database has; without one, it is made or taken over by the steps alone.
    """

    found: str
    revision: str | None = None
    steps: list[Step] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def quoted(*names: str) -> str:
    """An SQL name, such as "public"."works"."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(value: str) -> str:
    """An SQL string."""
    return "'" + value.replace("'", "''") + "'"


def execute(connection: Connection, sql: str) -> CursorResult[Any]:
    """Execute SQL as it is: a % in it is a %."""
    return connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
