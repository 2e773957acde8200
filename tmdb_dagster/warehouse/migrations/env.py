"""How Alembic runs the migrations: one at a time, all or nothing, and never waiting long for a lock."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Engine, text

from tmdb_dagster.warehouse.migrate import (
    build_indexes,
    close_to_public,
    one_at_a_time,
    set_limits,
    take_over,
    when_free,
)
from tmdb_dagster.warehouse.tables import metadata
from tmdb_dagster.warehouse.takeover.access import relations_of


def _engine() -> tuple[Engine, str]:
    attributes = context.config.attributes
    if "engine" in attributes:
        return attributes["engine"], attributes["schema"]
    # Alembic's own command line: the database is the one that the settings name.
    from tmdb_dagster.settings import SettingsError, load_settings
    from tmdb_dagster.warehouse.engine import connect

    settings = load_settings()
    if settings.database_url is None:
        raise SettingsError("Alembic needs DATABASE_URL; `tmdb-dagster migrate` finds the embedded database.")
    return connect(settings.database_url.get_secret_value(), schema=settings.database_schema), settings.database_schema


def _upgrading() -> bool:
    """Whether this is `alembic upgrade`, and not a look or a way back."""
    context.configure(dialect_name="postgresql")
    return bool(context.get_context().opts["fn"].__name__ == "upgrade")


def print_sql() -> None:
    """Print what is asked for, as `alembic upgrade --sql` does."""
    context.configure(dialect_name="postgresql", target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def run_migrations() -> None:
    """Run what is asked for. Tables of another program are taken over first."""
    engine, schema = _engine()
    upgrading = _upgrading()
    with one_at_a_time(engine):
        if not upgrading:
            _run_in_one_transaction(engine, schema, upgrading)
            return
        plan = take_over(engine, schema, context.script)
        _run_in_one_transaction(engine, schema, upgrading)
        if not plan.takes_over:
            build_indexes(engine, schema, context.script)
        context.config.attributes["plan"] = plan


@when_free
def _run_in_one_transaction(engine: Engine, schema: str, upgrading: bool) -> None:
    with engine.begin() as connection:
        set_limits(connection)
        if schema != "public":
            connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
        before = relations_of(connection, schema)
        context.configure(connection=connection, target_metadata=metadata, compare_server_default=True)
        with context.begin_transaction():
            context.run_migrations()
            if upgrading:
                close_to_public(connection, schema, before)


if context.is_offline_mode():
    print_sql()
else:
    run_migrations()
