"""Indexes: built concurrently, so that nobody waits, and again where a killed run left half of one."""

from __future__ import annotations

from sqlalchemy import Connection

from tmdb_dagster.warehouse.takeover.catalog import Catalog, Index, Relation
from tmdb_dagster.warehouse.takeover.plan import Plan, Step, execute, quoted
from tmdb_dagster.warehouse.takeover.tolerance import KEYS

_EXAMPLES = 3


class IndexPlan:
    """Adds to a plan the indexes that tables which were there lack."""

    def __init__(self, plan: Plan, connection: Connection, schema: str, live: Catalog) -> None:
        self._plan = plan
        self._connection = connection
        self._schema = schema
        self._names = {index.name for relation in live.relations.values() for index in relation.indexes}
        self._names |= live.relations.keys()

    def add(self, table: Relation, there: Relation) -> None:
        """The indexes that the table lacks; an equal one of another name will do."""
        for index in table.indexes:
            if self._is_there(index, there):
                continue
            missing = [name for name in index.columns or () if name not in there.columns]
            if index.is_unique and not missing and (examples := self._duplicates(table.name, index)):
                self._report(table.name, index, examples)
                continue
            self._build(table.name, index, there)

    def _is_there(self, index: Index, there: Relation) -> bool:
        if index.is_unique and index.predicate is None and index.columns:
            return any(other.is_key(index.columns) for other in there.indexes)
        return any(
            other.valid
            and (other.is_unique or not index.is_unique)
            and (other.definition == index.definition or _is_ours(other, index))
            for other in there.indexes
        )

    def _duplicates(self, table: str, index: Index) -> list[str]:
        columns = ", ".join(quoted(name) for name in index.columns or ())
        known = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in index.columns or ())
        predicate = f" AND ({index.predicate})" if index.predicate else ""
        found = execute(
            self._connection,
            f"SELECT concat_ws(', ', {columns}) FROM {quoted(self._schema, table)} "  # noqa: S608 - names
            f"WHERE {known}{predicate} GROUP BY {columns} HAVING count(*) > 1 ORDER BY {columns} LIMIT {_EXAMPLES}",
        )
        return list(found.scalars())

    def _report(self, table: str, index: Index, examples: list[str]) -> None:
        columns = ", ".join(index.columns or ())
        found = f"{table} has several rows with one ({columns}), such as {'; '.join(examples)}"
        if index.predicate or index.columns in KEYS.get(table, ()):
            where = f" of those where {index.predicate}" if index.predicate else ""
            self._plan.refusals.append(f"{found}, and the pipeline needs one: keep one{where}, and remove the others.")
        else:
            self._plan.notes.append(f"{found}: they stay, and no unique index is made.")

    def _build(self, table: str, index: Index, there: Relation) -> None:
        statements = []
        name = index.name
        if any(other.name == name and not other.valid for other in there.indexes):
            statements.append(f"DROP INDEX CONCURRENTLY {quoted(self._schema, name)}")
        else:
            number = 1
            while name in self._names:
                name, number = f"{index.name}{number}", number + 1
        self._names.add(name)
        statements.append(
            f"CREATE {'UNIQUE ' if index.is_unique else ''}INDEX CONCURRENTLY {quoted(name)} "
            f"ON {quoted(self._schema, table)} USING {index.definition}"
        )
        again = "again, since it was left unfinished, " if len(statements) > 1 else ""
        self._plan.steps.append(Step(f"build {again}index {name}", tuple(statements), alone=True))


def _is_ours(one: Index, ours: Index) -> bool:
    """Whether it is what `ours` became on columns of other types: Postgres adds casts to what it computes."""
    computed = ours.columns is None or ours.predicate is not None
    same_kind = (one.columns is None) == (ours.columns is None) and (one.predicate is None) == (ours.predicate is None)
    return computed and same_kind and one.name == ours.name
