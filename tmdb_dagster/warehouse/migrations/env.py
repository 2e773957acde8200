"""How Alembic runs the migrations: one at a time, all or nothing, and never waiting long for a lock."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Engine

from tmdb_dagster.warehouse.engine import VERSION_TABLE
from tmdb_dagster.warehouse.migrate import (
    build_indexes,
    close_to_public,
    current_revision,
    make_or_take_over,
    one_at_a_time,
    replace_functions_and_views,
    set_limits,
    when_free,
)
from tmdb_dagster.warehouse.tables import metadata
from tmdb_dagster.warehouse.takeover.access import relations_of
from tmdb_dagster.warehouse.title_index import TITLE_INDEX


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


def _goes_to_head() -> bool:
    """Whether this is `alembic upgrade head`, and not a look or a way back."""
    context.configure(dialect_name="postgresql")
    # Of Alembic's commands, those that go nowhere have no destination, and `stamp` has a tuple.
    return context.get_context().opts.get("destination_rev") in ("head", "heads", context.get_head_revision())


def print_sql() -> None:
    """Print what is asked for, as `alembic upgrade --sql` does."""
    context.configure(
        dialect_name="postgresql", target_metadata=metadata, literal_binds=True, version_table=VERSION_TABLE
    )
    with context.begin_transaction():
        context.run_migrations()


def run_migrations() -> None:
    """Run what is asked for. An empty schema is made, and another program's tables are taken over, first."""
    engine, schema = _engine()
    to_head = _goes_to_head()
    with one_at_a_time(engine):
        if to_head:
            attributes = context.config.attributes
            attributes["plan"] = make_or_take_over(engine, schema, context.script, attributes.get("on_plan"))
        _run_in_one_transaction(engine, schema, to_head=to_head)
        if to_head:
            build_indexes(engine, schema)


@when_free
def _run_in_one_transaction(engine: Engine, schema: str, *, to_head: bool) -> None:
    with engine.begin() as connection:
        set_limits(connection)
        before = relations_of(connection, schema), current_revision(connection, schema)
        context.configure(
            connection=connection,
            target_metadata=metadata,
            include_name=lambda name, kind, _: kind != "index" or name != TITLE_INDEX,
            compare_server_default=True,
            version_table=VERSION_TABLE,
        )
        with context.begin_transaction():
            context.run_migrations()
            if to_head and current_revision(connection, schema) != before[1]:
                replace_functions_and_views(connection, schema)
            if to_head:
                close_to_public(connection, schema, before[0])


if context.is_offline_mode():
    print_sql()
else:
    run_migrations()
