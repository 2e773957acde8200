"""CHECK and FOREIGN KEY constraints: added without looking at the rows, and validated afterwards, without a lock."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from tmdb_dagster.warehouse.takeover.catalog import Constraint, Relation
from tmdb_dagster.warehouse.takeover.plan import Plan, Step, execute, quoted


class ConstraintPlan:
    """Adds to a plan the constraints that tables which were there lack, as far as their rows allow."""

    def __init__(self, plan: Plan, connection: Connection, schema: str) -> None:
        self._plan = plan
        self._connection = connection
        self._schema = schema
        self._to_validate: list[tuple[str, str]] = []

    def add(self, table: Relation, there: Relation, targets: Collection[str]) -> None:
        """The constraints that the table lacks; one on the same columns will do.

        `targets` are the tables whose rows can be looked at: in others no row is found.
        """
        for constraint in table.constraints:
            same = [one for one in there.constraints if _alike(one, constraint)]
            if constraint.kind == "c":
                self._add_check(table.name, constraint, there, same)
            elif constraint.kind == "f":
                self._add_foreign_key(table.name, constraint, there, same, found=constraint.target in targets)

    def _add_check(self, table: str, check: Constraint, there: Relation, same: list[Constraint]) -> None:
        if same:
            # One of ours that a killed run has not validated yet.
            self._validate_later(table, [one for one in same if one.name == check.name])
            return
        if all(column in there.columns for column in check.columns) and (
            bad := self._count(table, f"NOT ({check.expression})")
        ):
            self._plan.notes.append(f"{table} has {bad} rows that break {check.definition}: it is not added.")
            return
        self._add(table, check)

    def _add_foreign_key(
        self, table: str, key: Constraint, there: Relation, same: list[Constraint], *, found: bool
    ) -> None:
        if same and "ON DELETE CASCADE" not in same[0].definition:
            self._plan.notes.append(
                f"{table}.{key.columns[0]} refers to {key.target} without ON DELETE CASCADE: `tmdb-dagster purge` "
                "cannot remove works with such rows."
            )
        if any(one.validated for one in same):
            return
        orphans = self._orphans(table, key, found=found) if key.columns[0] in there.columns else 0
        if orphans:
            self._plan.notes.append(f"{table} has {orphans} rows of {key.target} that do not exist: they stay.")
        if not same:
            self._add(table, key, validate=not orphans)
        elif not orphans:
            self._validate_later(table, [one for one in same if one.name == key.name])

    def _orphans(self, table: str, key: Constraint, *, found: bool) -> int:
        column = quoted(key.columns[0])
        if not found:
            return self._count(table, f"t.{column} IS NOT NULL")
        target, target_column = quoted(self._schema, str(key.target)), quoted(str(key.target_column))
        known = f"SELECT FROM {target} o WHERE o.{target_column} = t.{column}"
        return self._count(table, f"t.{column} IS NOT NULL AND NOT EXISTS ({known})")

    def _add(self, table: str, constraint: Constraint, *, validate: bool = True) -> None:
        statement = (
            f"ALTER TABLE {quoted(self._schema, table)} ADD CONSTRAINT {quoted(constraint.name)} "
            f"{constraint.definition} NOT VALID"
        )
        self._plan.steps.append(Step(f"table {table}: {constraint.definition}", (statement,)))
        if validate:
            self._to_validate.append((table, constraint.name))

    def _validate_later(self, table: str, constraints: list[Constraint]) -> None:
        self._to_validate += [(table, one.name) for one in constraints if not one.validated]

    def _count(self, table: str, condition: str) -> int:
        query = f"SELECT count(*) FROM {quoted(self._schema, table)} t WHERE {condition}"  # noqa: S608 - names
        return int(execute(self._connection, query).scalar() or 0)

    def validate(self) -> None:
        """Validate what was added: a look at every row that keeps nobody from writing."""
        for table, name in self._to_validate:
            statement = f"ALTER TABLE {quoted(self._schema, table)} VALIDATE CONSTRAINT {quoted(name)}"
            self._plan.steps.append(Step(f"table {table}: validate {name}", (statement,)))


def _alike(one: Constraint, other: Constraint) -> bool:
    return (one.kind, sorted(one.columns), one.target) == (other.kind, sorted(other.columns), other.target)
