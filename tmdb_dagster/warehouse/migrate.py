"""Brings a database to the current schema: an empty one, an earlier one of ours, or another program's.

An empty one gets at once what tables/ and sql/ declare. Ours goes from revision to revision, by Alembic; then what of
functions, views and indexes is not as declared is made so. Another program's tables are compared with what is
declared, get what they lack, and count as current from then on. Alembic's own `upgrade` does the same: it comes here
from migrations/env.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path

import tenacity
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from tmdb_dagster.warehouse.engine import HEAD, VERSION_TABLE
from tmdb_dagster.warehouse.errors import DatabaseBusy, MigrationRefused
from tmdb_dagster.warehouse.probe import NOT_UTF8, encoding_of
from tmdb_dagster.warehouse.schema import create_statements
from tmdb_dagster.warehouse.sql import definitions
from tmdb_dagster.warehouse.tables import metadata
from tmdb_dagster.warehouse.takeover.access import (
    CONSUMERS_TABLES,
    functions_guards,
    guard,
    guards,
    public_roles,
    relations_of,
)
from tmdb_dagster.warehouse.takeover.catalog import Catalog, read_catalog
from tmdb_dagster.warehouse.takeover.difference import Takeover, is_old_system, stamp
from tmdb_dagster.warehouse.takeover.functions import FunctionPlan
from tmdb_dagster.warehouse.takeover.indexes import IndexPlan
from tmdb_dagster.warehouse.takeover.plan import Plan, Step, execute, quoted
from tmdb_dagster.warehouse.takeover.reference import Reference, reference
from tmdb_dagster.warehouse.takeover.views import ViewPlan
from tmdb_dagster.warehouse.title_index import plan_title_index

MIGRATIONS = Path(__file__).parent / "migrations"

# Any fixed number will do, as long as every migration of this product takes the same one.
ADVISORY_LOCK = 7_303_014
LOCK_TIMEOUT_S = 3
"""Whoever waits for a lock keeps others waiting behind it, so a step gives up soon, and tries again."""
LOCK_TRIES = 20
STATEMENT_TIMEOUT = "15min"
BUSY_WAIT_S = 600.0

_OWN_TABLES = frozenset({*metadata.tables, VERSION_TABLE}) - CONSUMERS_TABLES
# What versions before 0.1.0 noted, in the table that Alembic, and so Dagster, too, uses by itself.
_OLD_VERSION_TABLE = "alembic_version"
_OLD_REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0100", "0101")
_TOO_OLD = (
    "{table} has the revision {revision}, of a version before 0.1.0, from which no revision leads on: run "
    "`DROP VIEW IF EXISTS {views}; DELETE FROM {table} WHERE version_num = '{revision}';` and migrate again, which "
    "then takes the tables over with all their rows."
)
_UNKNOWN_REVISION = (
    "{table} has the revision {revision}, which this version does not know: a later version was here, or another "
    "program. Update this one, or choose another schema with DATABASE_SCHEMA."
)


when_free = tenacity.retry(
    retry=tenacity.retry_if_exception_type(DatabaseBusy),
    wait=tenacity.wait_fixed(1),
    stop=tenacity.stop_after_attempt(LOCK_TRIES),
    reraise=True,
)
"""Tries a transaction again where others hold what it needs."""


def alembic_config(engine: Engine, schema: str = "public") -> Config:
    """Alembic's configuration for this database; `alembic` on the command line reads pyproject.toml instead."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = engine
    config.attributes["schema"] = schema
    return config


OnPlan = Callable[[Plan], None]


def migrate(engine: Engine, schema: str = "public", on_plan: OnPlan | None = None) -> Plan:
    """Bring the database to the current revision; returns what was found and done, which `on_plan` gets beforehand.

    Safe to repeat, to kill, and to start twice at once. Raises DatabaseUnavailable, MigrationRefused, DatabaseBusy.
    """
    config = alembic_config(engine, schema)
    config.attributes["on_plan"] = on_plan
    command.upgrade(config, "head")
    done: Plan = config.attributes["plan"]
    return done


def plan_migration(engine: Engine, schema: str = "public") -> Plan:
    """What `migrate` would do, with its SQL. Nothing is touched. Raises DatabaseUnavailable."""
    config = alembic_config(engine, schema)
    with engine.connect() as connection:
        plan = _plan(connection, schema, ScriptDirectory.from_config(config))
        connection.rollback()
    plan.steps[:] = [
        replace(step, sql=(_revisions_sql(config, step.revision),)) if step.revision else step for step in plan.steps
    ]
    return plan


def _revisions_sql(config: Config, revision: str) -> str:
    """The SQL of one revision, as Alembic prints it."""
    config.output_buffer = StringIO()
    before = ScriptDirectory.from_config(config).get_revision(revision).down_revision or "base"
    command.upgrade(config, f"{before}:{revision}", sql=True)
    return config.output_buffer.getvalue().strip()


@contextmanager
def one_at_a_time(engine: Engine) -> Iterator[None]:
    """Keep other migrations of this database away.

    The lock belongs to a transaction, not to a session, so that a pooler that lends connections for a transaction
    keeps it. It is asked for again and again instead of waited for: a statement that waits would be waited for by
    CREATE INDEX CONCURRENTLY in turn.
    """
    deadline = time.monotonic() + BUSY_WAIT_S
    with engine.connect() as keeper:
        while not keeper.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK}):
            keeper.rollback()
            if time.monotonic() > deadline:
                raise DatabaseBusy(
                    f"Another migration has been at work for {BUSY_WAIT_S:.0f} seconds: try again later."
                )
            time.sleep(0.1)
        keeper.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield
        keeper.rollback()


def make_or_take_over(engine: Engine, schema: str, script: ScriptDirectory, on_plan: OnPlan | None) -> Plan:
    """Make the schema, or take over the tables of another program, or say what is to come in a database of ours.

    `on_plan` gets the plan before anything is done.

    Raises MigrationRefused, before anything is touched.
    """
    with engine.connect() as connection:
        plan = _plan(connection, schema, script)
        connection.rollback()
    if plan.refusals:
        raise MigrationRefused(
            f"The schema {schema} cannot be migrated, and nothing was changed:"
            + "".join(f"\n* {refusal}" for refusal in plan.refusals)
        )
    if on_plan is not None:
        on_plan(plan)
    if plan.revision is None:
        for step in plan.steps:
            take(engine, schema, step)
    return plan


def replace_functions_and_views(connection: Connection, schema: str) -> None:
    """Make those that are not as sql/ says so: after the revisions, in their transaction."""
    plan = Plan("")
    live = read_catalog(connection, schema)
    with reference(connection) as ours:
        _plan_functions_and_views(plan, connection, schema, live, ours)
    for step in plan.steps:
        for statement in step.sql:
            execute(connection, statement)


def build_indexes(engine: Engine, schema: str) -> None:
    """Build the indexes that the tables' declarations name and that are missing: concurrently, so afterwards."""
    plan = Plan("")
    with engine.connect() as connection:
        live = read_catalog(connection, schema)
        if not _has_all_indexes(live):
            with reference(connection) as ours:
                _plan_indexes(plan, connection, schema, live, ours)
        plan_title_index(plan, connection, schema)
        connection.rollback()
    for step in plan.steps:
        take(engine, schema, step)


def set_limits(connection: Connection) -> None:
    """How long a transaction waits for a lock, and for a statement."""
    connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_S * 1000:.0f}"))
    connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"))


def close_to_public(connection: Connection, schema: str, before: set[str]) -> None:
    """Close the tables that are new since `before`, and all that only the pipeline reads, where anybody could read."""
    guard(connection, schema, new=relations_of(connection, schema) - before, own=_OWN_TABLES)


def _plan(connection: Connection, schema: str, script: ScriptDirectory) -> Plan:
    plan = _plan_tables(connection, schema, script)
    if not plan.refusals:
        plan_title_index(plan, connection, schema)
    return plan


def _plan_tables(connection: Connection, schema: str, script: ScriptDirectory) -> Plan:
    if (encoding := encoding_of(connection)) != "UTF8":
        return Plan(f"a database in {encoding}", refusals=[NOT_UTF8.format(encoding=encoding)])
    there = relations_of(connection, schema)
    revision = current_revision(connection, schema)
    if revision is not None:
        return _plan_upgrade(connection, schema, script, revision)
    if _OLD_VERSION_TABLE in there and (old := _old_revision(connection, schema)):
        views = ", ".join(f"{schema}.{name}" for name in definitions() if name.startswith("v_"))
        table = f"{schema}.{_OLD_VERSION_TABLE}"
        return Plan(f"revision {old}", refusals=[_TOO_OLD.format(table=table, revision=old, views=views)])
    if there or _has_functions(connection, schema):
        live = read_catalog(connection, schema)
        with reference(connection) as ours:
            if is_old_system(live, ours.catalog):
                connection.execute(text(f'SET LOCAL search_path TO "{schema}"'))
                roles = public_roles(connection)
                return Takeover(connection, schema, live, ours, roles=roles, revision=HEAD).plan()
    roles = public_roles(connection)
    statements = [
        *([] if schema == "public" else [f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}"]),
        *create_statements(),
        *guards(schema, metadata.tables, roles),
        *functions_guards(schema, roles),
        *stamp(schema, HEAD, roles, anew=VERSION_TABLE not in there),
    ]
    return Plan("no tables of the catalogue", steps=[Step("create the tables, functions and views", tuple(statements))])


def _plan_upgrade(connection: Connection, schema: str, script: ScriptDirectory, revision: str) -> Plan:
    plan = Plan(f"revision {revision}", revision=revision)
    known = {one.revision for one in script.walk_revisions()}
    if revision not in known:
        plan.refusals.append(_UNKNOWN_REVISION.format(table=f"{schema}.{VERSION_TABLE}", revision=revision))
        return plan
    for one in reversed(list(script.iterate_revisions("head", revision))):
        plan.steps.append(Step(f"{one.revision}: {one.doc.rstrip('.')}", (), revision=one.revision))
    live = read_catalog(connection, schema)
    if plan.steps or not _has_all_indexes(live):
        pending = bool(plan.steps)
        with reference(connection) as ours:
            if pending:
                _plan_functions_and_views(plan, connection, schema, live, ours)
            _plan_indexes(plan, connection, schema, live, ours)
    return plan


def _plan_functions_and_views(plan: Plan, connection: Connection, schema: str, live: Catalog, ours: Reference) -> None:
    functions = FunctionPlan(plan, schema, ours.name, public_roles(connection), own=True)
    functions.add(ours.catalog.functions, live.functions)
    ViewPlan(plan, schema, own=True).add(ours.catalog.relations, live.relations)


def _plan_indexes(plan: Plan, connection: Connection, schema: str, live: Catalog, ours: Reference) -> None:
    connection.execute(text(f'SET LOCAL search_path TO "{schema}"'))
    indexes = IndexPlan(plan, connection, schema, live)
    for table in ours.catalog.relations.values():
        if table.name in live.relations:
            indexes.add(table, live.relations[table.name])


def _has_all_indexes(live: Catalog) -> bool:
    """Whether each is there by its name; in a database that was taken over it may have another."""
    return {index.name for table in metadata.tables.values() for index in table.indexes} <= live.index_names()


def current_revision(connection: Connection, schema: str) -> str | None:
    """The revision of ours that a schema has; None where it has none."""
    if VERSION_TABLE not in relations_of(connection, schema):
        return None
    found = execute(connection, f"SELECT max(version_num) FROM {quoted(schema, VERSION_TABLE)}").scalar()  # noqa: S608
    return None if found is None else str(found)


def _old_revision(connection: Connection, schema: str) -> str | None:
    """The revision of a version before 0.1.0; what others note there is not ours."""
    table = quoted(schema, _OLD_VERSION_TABLE)
    query = text(f"SELECT max(version_num) FROM {table} WHERE version_num = ANY(:old)")  # noqa: S608 - quoted
    found: str | None = connection.scalar(query, {"old": list(_OLD_REVISIONS)})
    return found


def _has_functions(connection: Connection, schema: str) -> bool:
    query = "SELECT count(*) FROM pg_proc WHERE pronamespace = to_regnamespace(:schema)"
    return bool(connection.scalar(text(query), {"schema": quoted(schema)}))


def take(engine: Engine, schema: str, step: Step) -> None:
    """Take a step of a plan.

    What Postgres wants `alone` is not tried again: half an index may be left, which a new plan removes.
    """
    if step.alone:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in step.sql:
                execute(connection, statement)
    else:
        take_in_one_transaction(engine, schema, step)


@when_free
def take_in_one_transaction(engine: Engine, schema: str, step: Step) -> None:
    with engine.begin() as connection:
        set_limits(connection)
        connection.execute(text(f'SET LOCAL search_path TO "{schema}"'))
        for statement in step.sql:
            execute(connection, statement)
