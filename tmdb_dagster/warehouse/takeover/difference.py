"""What a live schema lacks, as the steps of a plan, and what stands in the way, as its refusals.

Everything is looked at before anything is touched. Steps are short transactions, one table at a time; indexes on
tables that were there are built concurrently. Whoever is killed in the middle plans again from what is there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import Connection

from tmdb_dagster.warehouse.engine import VERSION_TABLE
from tmdb_dagster.warehouse.takeover.access import CONSUMERS_TABLES, guards, open_tables
from tmdb_dagster.warehouse.takeover.catalog import Catalog, Column, Index, Relation
from tmdb_dagster.warehouse.takeover.constraints import ConstraintPlan
from tmdb_dagster.warehouse.takeover.functions import FunctionPlan
from tmdb_dagster.warehouse.takeover.indexes import IndexPlan
from tmdb_dagster.warehouse.takeover.plan import Plan, Step, execute, literal, quoted
from tmdb_dagster.warehouse.takeover.reference import Reference
from tmdb_dagster.warehouse.takeover.tolerance import (
    FILLED_FROM_NOW_ON,
    KEYS,
    WRITTEN_VALUES,
    fits,
    may_be_required,
)
from tmdb_dagster.warehouse.takeover.views import ViewPlan, comments

_KINDS = {"p": "a partitioned table", "v": "a view", "m": "a materialized view", "f": "a foreign table"}
_MOMENTS_OF_A_ROW = ("created_at", "updated_at")
_QUEUE = "refresh_queue"


def stamp(schema: str, revision: str, roles: Collection[str], *, anew: bool) -> list[str]:
    """The statements that note the revision; `anew` where Alembic's table is not there yet."""
    name = quoted(schema, VERSION_TABLE)
    statements = []
    if anew:
        statements.append(
            f"CREATE TABLE {name} (version_num VARCHAR(32) NOT NULL, "
            f"CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
        )
        statements += guards(schema, [VERSION_TABLE], roles)
    return [*statements, f"INSERT INTO {name} (version_num) VALUES ({literal(revision)})"]  # noqa: S608 - ours


def is_old_system(live: Catalog, ours: Catalog) -> bool:
    """Whether a schema without our revision holds something that is called as ours is."""
    return bool(live.relations.keys() & ours.relations.keys()) or bool(live.functions.keys() & ours.functions.keys())


class Takeover:
    """The plan to take over the schema `name`: `live` is what it holds, and `ours` what it should."""

    def __init__(  # noqa: PLR0913 - a plan depends on all of this
        self,
        connection: Connection,
        name: str,
        live: Catalog,
        ours: Reference,
        *,
        roles: Collection[str],
        revision: str,
    ) -> None:
        self._connection = connection
        self._schema = name
        self._live = live
        self._ours = ours.catalog
        self._roles = roles
        self._revision = revision
        there = sorted(live.relations.keys() & ours.catalog.relations.keys())
        self._plan = Plan(f"tables of another program: {', '.join(there) or 'none, but functions'}")
        self._functions = FunctionPlan(self._plan, name, ours.name, roles)
        self._views = ViewPlan(self._plan, name, own=False)
        self._indexes = IndexPlan(self._plan, connection, name, live)
        self._constraints = ConstraintPlan(self._plan, connection, name)

    def plan(self) -> Plan:
        """Look at everything; the plan has refusals where something cannot be reconciled."""
        tables = [table for table in self._ours.relations.values() if table.kind == "r"]
        for table in tables:
            there = self._live.relations.get(table.name)
            if there is None:
                self._create(table)
            elif there.kind != "r":
                self._refuse(
                    f"{table.name} is {_KINDS[there.kind]}, and the pipeline needs a table: rename it, or choose "
                    "another schema with DATABASE_SCHEMA."
                )
            else:
                self._alter(table, there)
        self._functions.add(self._ours.functions, self._live.functions)
        self._views.add(self._ours.relations, self._live.relations)
        taken = [(table, self._live.relations[table.name]) for table in tables if self._is_comparable(table)]
        for table, there in taken:
            self._constraints.add(table, there, {one.name for one, _ in taken})
        for table, there in taken:
            self._indexes.add(table, there)
        self._constraints.validate()
        statements = stamp(self._schema, self._revision, self._roles, anew=VERSION_TABLE not in self._live.relations)
        self._plan.steps.append(Step(f"note the revision {self._revision}", tuple(statements)))
        for name in open_tables(self._connection, self._schema, CONSUMERS_TABLES):
            self._plan.notes.append(
                f"{name} has no row level security: with the anonymous key it can be read or written by anybody."
            )
        return self._plan

    def _is_comparable(self, table: Relation) -> bool:
        """Whether the table is there, and its rows can be asked what ours can: with other types, refused by now,
        Postgres would refuse the question.
        """
        there = self._live.relations.get(table.name)
        return (
            there is not None
            and there.kind == "r"
            and all(
                fits(table.name, column, there.columns[column.name])
                for column in table.columns.values()
                if column.name in there.columns
            )
        )

    def _refuse(self, reason: str) -> None:
        self._plan.refusals.append(reason)

    def _create(self, table: Relation) -> None:
        """The table with all that belongs to it, closed to the public roles, in one transaction."""
        name = quoted(self._schema, table.name)
        lines = [_declared(column) for column in table.columns.values()]
        by_kind = sorted(table.constraints, key=lambda one: "pucf".index(one.kind))
        lines += [f"CONSTRAINT {quoted(one.name)} {one.definition}" for one in by_kind]
        statements = [f"CREATE TABLE {name} (\n    " + ",\n    ".join(lines) + "\n)"]
        statements += [
            f"CREATE {'UNIQUE ' if index.is_unique else ''}INDEX {quoted(index.name)} "
            f"ON {name} USING {index.definition}"
            for index in table.indexes
            if index.constraint_name is None
        ]
        statements += comments(self._schema, table, None)
        statements += guards(self._schema, [table.name], self._roles)
        self._plan.steps.append(Step(f"create table {table.name}", tuple(statements)))

    def _alter(self, table: Relation, there: Relation) -> None:
        if not there.owned:
            self._refuse(f"{table.name} belongs to the role {there.owner}: migrate as that role, or as a member of it.")
            return
        name = quoted(self._schema, table.name)
        statements: list[str] = []
        done: list[str] = []
        for column in table.columns.values():
            theirs = there.columns.get(column.name)
            if theirs is None:
                statements += self._added(table, column)
                done.append(f"column {column.name}")
            elif self._accept(table.name, column, theirs, there) and _needs_default(column, theirs):
                default = "gen_random_uuid()" if column.sequence else column.value
                statements.append(f"ALTER TABLE {name} ALTER COLUMN {quoted(column.name)} SET DEFAULT {default}")
                done.append(f"default of {column.name}")
        self._refuse_unknown_required(table, there)
        self._refuse_narrow_checks(table, there)
        self._refuse_narrow_keys(there)
        if table.name == _QUEUE:
            dropped = list(self._once_in_a_life(there))
            statements += dropped
            there.indexes[:] = [index for index in there.indexes if not _is_once_in_a_life(index)]
            done += ["no UNIQUE (work_id), by which a movie could be queued once in its life"] if dropped else []
        if statements:
            self._plan.steps.append(Step(f"table {table.name}: {', '.join(done)}", tuple(statements)))
        if described := tuple(comments(self._schema, table, there)):
            self._plan.steps.append(Step(f"table {table.name}: {len(described)} comments", described))

    def _added(self, table: Relation, column: Column) -> Iterator[str]:
        name = f"ALTER TABLE {quoted(self._schema, table.name)}"
        if column.required and column.name in FILLED_FROM_NOW_ON.get(table.name, ()):
            yield f"{name} ADD COLUMN {quoted(column.name)} {column.type}"
        elif column.required and column.value is None:
            self._refuse(f"{table.name} has no column {column.name}, which every row needs: add it and fill it.")
        elif column.name in _MOMENTS_OF_A_ROW:
            # Nobody knows when the rows that are there were made.
            yield f"{name} ADD COLUMN {quoted(column.name)} {column.type}"
            yield f"{name} ALTER COLUMN {quoted(column.name)} SET DEFAULT {column.value}"
        else:
            yield f"{name} ADD COLUMN {_declared(column)}"

    def _accept(self, table: str, ours: Column, theirs: Column, there: Relation) -> bool:
        """Whether a column that was there will do; where not, the refusals say why."""
        name = f"{table}.{ours.name}"
        mend = f"ALTER TABLE {quoted(self._schema, table)} ALTER COLUMN {quoted(ours.name)}"
        if not fits(table, ours, theirs):
            self._refuse(
                f"{name} is {theirs.type}, and the pipeline needs {ours.type}: "
                f"{mend} TYPE {ours.type} USING {quoted(ours.name)}::{ours.type};"
            )
        elif ours.sequence and theirs.type != "uuid" and theirs.value is None and not theirs.generated:
            self._refuse(f"{name} has no default, and the database has to number the rows: {mend} SET DEFAULT ...;")
        elif theirs.generated and not ours.sequence:
            self._refuse(f"{name} is generated, and the pipeline has to write it: make it an ordinary column.")
        elif theirs.required and not may_be_required(table, ours) and not there.fills_rows:
            self._refuse(f"{name} is NOT NULL, and the pipeline cannot always fill it: {mend} DROP NOT NULL;")
        else:
            return True
        return False

    def _refuse_unknown_required(self, table: Relation, there: Relation) -> None:
        for column in there.columns.values():
            filled = column.value is not None or column.generated or there.fills_rows or not column.required
            if column.name not in table.columns and not filled:
                mend = f"ALTER TABLE {quoted(self._schema, table.name)} ALTER COLUMN {quoted(column.name)}"
                self._refuse(
                    f"{table.name}.{column.name} is NOT NULL without a default, and the pipeline does not know it: "
                    f"{mend} SET DEFAULT ...;"
                )

    def _refuse_narrow_checks(self, ours: Relation, there: Relation) -> None:
        table = ours.name
        for check in there.constraints:
            values = WRITTEN_VALUES.get((table, check.columns[0])) if len(check.columns) == 1 else None
            if values is None or check.expression is None:
                continue
            if not fits(table, ours.columns[check.columns[0]], there.columns[check.columns[0]]):
                continue
            column = quoted(check.columns[0])
            listed = ", ".join(literal(value) for value in values)
            refused = execute(
                self._connection,
                f"SELECT {column} FROM unnest(ARRAY[{listed}]) AS t({column}) "  # noqa: S608 - names and constants
                f"WHERE NOT ({check.expression})",
            )
            if found := list(refused.scalars()):
                self._refuse(
                    f"{table} has a CHECK that forbids {check.columns[0]} {', '.join(found)}: "
                    f"ALTER TABLE {quoted(self._schema, table)} DROP CONSTRAINT {quoted(check.name)};"
                )

    def _refuse_narrow_keys(self, there: Relation) -> None:
        """One movie may be similar by two sources, or scored by two methods: what is unique must not be less."""
        for key in KEYS.get(there.name, ()):
            for index in there.indexes:
                if index.is_unique and index.predicate is None and index.columns and set(index.columns) < set(key):
                    self._refuse(
                        f"{there.name} may have only one row for each ({', '.join(index.columns)}), and the pipeline "
                        f"writes one for each ({', '.join(key)}): {self._dropped(there, index)};"
                    )

    def _once_in_a_life(self, there: Relation) -> Iterator[str]:
        """The old queue's UNIQUE (work_id): finished entries would keep a movie from being queued again."""
        for index in there.indexes:
            if _is_once_in_a_life(index):
                yield self._dropped(there, index)

    def _dropped(self, there: Relation, index: Index) -> str:
        """The statement that drops an index, with the constraint that it is of."""
        if index.constraint_name is None:
            return f"DROP INDEX {quoted(self._schema, index.name)}"
        table = quoted(self._schema, there.name)
        return f"ALTER TABLE {table} DROP CONSTRAINT {quoted(index.constraint_name)}"


def _is_once_in_a_life(index: Index) -> bool:
    return index.is_unique and index.columns == ("work_id",) and index.predicate is None


def _declared(column: Column) -> str:
    """A column as CREATE TABLE and ADD COLUMN name it."""
    words = [quoted(column.name), "bigserial" if column.sequence else column.type]
    if column.collation:
        words.append(f"COLLATE {column.collation}")
    if column.value and not column.sequence:
        words.append(f"DEFAULT {column.value}")
    if column.required:
        words.append("NOT NULL")
    return " ".join(words)


def _needs_default(ours: Column, theirs: Column) -> bool:
    if theirs.value is not None or theirs.generated:
        return False
    return theirs.type == "uuid" if ours.sequence else ours.value is not None
