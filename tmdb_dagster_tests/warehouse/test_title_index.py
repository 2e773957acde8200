"""The index of titles, on a server that has pg_trgm, for owners who may create it and who may not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic import command
from sqlalchemy import Engine

from tmdb_dagster.warehouse.engine import check_schema, connect
from tmdb_dagster.warehouse.migrate import alembic_config, migrate, plan_migration
from tmdb_dagster.warehouse.title_index import TITLE_INDEX
from tmdb_dagster_tests.warehouse.database import execute, rows, value

WHOLE = f"SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('{TITLE_INDEX}')"
EXTENSION = """
    SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm'
"""


@pytest.fixture
def owner(database_with_pg_trgm: Engine) -> Iterator[Engine]:
    """The same database for a role that owns the schema public, and may create nothing beside it."""
    role = f"owner_{database_with_pg_trgm.url.database}"
    execute(database_with_pg_trgm, f"CREATE ROLE {role} LOGIN PASSWORD 'owner'; ALTER SCHEMA public OWNER TO {role}")
    engine = connect(database_with_pg_trgm.url.set(username=role, password="owner").render_as_string(False))
    yield engine
    engine.dispose()
    execute(database_with_pg_trgm, f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def test_a_new_database_gets_the_extension_beside_its_own_schema(database_with_pg_trgm: Engine) -> None:
    planned = plan_migration(database_with_pg_trgm)
    assert value(database_with_pg_trgm, EXTENSION) is None, "a look changes nothing"

    done = migrate(database_with_pg_trgm)

    assert done.steps == planned.steps
    assert done.steps[-1].what == f"build index {TITLE_INDEX}"
    assert value(database_with_pg_trgm, WHOLE) is True
    assert value(database_with_pg_trgm, EXTENSION) == "extensions"
    command.check(alembic_config(database_with_pg_trgm))
    assert migrate(database_with_pg_trgm).steps == []


def test_the_extension_is_taken_where_it_is(database_with_pg_trgm: Engine) -> None:
    execute(database_with_pg_trgm, "CREATE SCHEMA elsewhere; CREATE EXTENSION pg_trgm WITH SCHEMA elsewhere")
    engine = connect(database_with_pg_trgm.url.render_as_string(False), schema="movies")

    migrate(engine, "movies")

    index = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'movies' AND indexname = :name"
    assert "(title elsewhere.gin_trgm_ops" in value(engine, index, name=TITLE_INDEX)
    assert value(engine, "SELECT to_regnamespace('extensions')") is None
    command.check(alembic_config(engine, "movies"))
    engine.dispose()


def test_without_the_right_to_create_it_everything_else_is_made_and_a_note_says_what_to_do(
    owner: Engine, database_with_pg_trgm: Engine
) -> None:
    planned = plan_migration(owner)

    [note] = migrate(owner).notes

    assert planned.notes == [note]
    check_schema(owner)
    assert rows(owner, WHOLE) == []
    command.check(alembic_config(owner))
    (advice,) = note.split("`")[1::2]
    execute(database_with_pg_trgm, advice)
    done = migrate(owner)
    assert ([step.what for step in done.steps], done.notes) == ([f"build index {TITLE_INDEX}"], [])
    assert value(owner, WHOLE) is True


def test_on_supabase_it_goes_where_all_extensions_are(owner: Engine, database_with_pg_trgm: Engine) -> None:
    """Its owner of the tables is no superuser, and the schema is another's."""
    execute(
        database_with_pg_trgm,
        f"CREATE SCHEMA extensions; GRANT USAGE ON SCHEMA extensions TO {owner.url.username}; "
        f"GRANT CREATE ON DATABASE {owner.url.database} TO {owner.url.username}",
    )

    assert migrate(owner).notes == []

    assert value(owner, EXTENSION) == "extensions"
    assert value(owner, WHOLE) is True


def test_down_and_up_again(database_with_pg_trgm: Engine) -> None:
    migrate(database_with_pg_trgm)

    command.downgrade(alembic_config(database_with_pg_trgm), "0112")

    assert rows(database_with_pg_trgm, WHOLE) == []
    assert value(database_with_pg_trgm, "SELECT to_regclass('v_cards')") is None
    planned = plan_migration(database_with_pg_trgm)
    assert [step.what for step in migrate(database_with_pg_trgm).steps] == [step.what for step in planned.steps]
    assert value(database_with_pg_trgm, WHOLE) is True
    check_schema(database_with_pg_trgm)
    command.check(alembic_config(database_with_pg_trgm))


def test_what_a_killed_build_left_is_built_again(database_with_pg_trgm: Engine) -> None:
    migrate(database_with_pg_trgm)
    execute(
        database_with_pg_trgm,
        f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{TITLE_INDEX}'::regclass",
    )

    migrate(database_with_pg_trgm)

    assert value(database_with_pg_trgm, WHOLE) is True
