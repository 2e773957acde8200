"""How Alembic runs the migrations: one at a time, all or nothing, and never waiting long for a lock."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Engine, text

from tmdb_dagster.warehouse.tables import metadata

# Any fixed number will do, as long as every migration of this product takes the same one.
ADVISORY_LOCK = 7_303_014
LOCK_TIMEOUT = "10s"
STATEMENT_TIMEOUT = "15min"


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


def run_migrations() -> None:
    """Run what is asked for in one transaction, under an advisory lock."""
    engine, schema = _engine()
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"))
        if schema != "public":
            connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
        context.configure(connection=connection, target_metadata=metadata, compare_server_default=True)
        with context.begin_transaction():
            context.run_migrations()


run_migrations()
