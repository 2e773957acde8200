"""The schema is declared once, and every version since 0.1.0 migrates to what a new database has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine

from tmdb_dagster.warehouse import sql
from tmdb_dagster.warehouse.engine import check_schema, connect
from tmdb_dagster.warehouse.errors import MigrationRefused
from tmdb_dagster.warehouse.migrate import alembic_config, migrate, plan_migration
from tmdb_dagster.warehouse.takeover.catalog import Relation, read_catalog
from tmdb_dagster_tests.warehouse.database import add_work, execute, rows, value, versions

DUMPS = sorted((Path(__file__).parent / "schemas").glob("*.sql"))
DUMPED_BEFORE = "0100"
"""The revision of the newest dump: that of the last release."""
GRANTS = "SELECT oid::regprocedure::text, proacl::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace"


@pytest.fixture(params=DUMPS, ids=lambda dump: dump.stem)
def released(request: pytest.FixtureRequest, new_database: Callable[..., str]) -> Iterator[Engine]:
    """A database as a released version made it."""
    engine = connect(new_database())
    with engine.begin() as connection:
        connection.exec_driver_sql(request.param.read_text(), execution_options={"no_parameters": True})
    engine.dispose()
    yield engine
    engine.dispose()


def schema(engine: Engine) -> dict[Any, Any]:
    """All that a schema holds, whatever the order in which it was made."""
    with engine.connect() as connection:
        catalog = read_catalog(connection, "public")
    relations = {name: _in_order(relation) for name, relation in catalog.relations.items()}
    return {**relations, **catalog.functions, "grants": {tuple(row) for row in rows(engine, GRANTS)}}


def _in_order(one: Relation) -> Relation:
    return replace(
        one,
        constraints=sorted(one.constraints, key=lambda constraint: constraint.name),
        indexes=sorted(one.indexes, key=lambda index: index.name),
    )


def test_a_released_schema_migrates_to_what_a_new_database_has(released: Engine, engine: Engine) -> None:
    add_work(released, 603, ingestion_status="complete")
    planned = plan_migration(released)

    done = migrate(released)

    assert [step.what for step in planned.steps] == [step.what for step in done.steps]
    assert schema(released) == schema(engine)
    assert value(released, "SELECT tmdb_id FROM works") == "603"
    check_schema(released)
    command.check(alembic_config(released))


COLUMNS = """
    SELECT table_name, column_name, data_type, is_nullable = 'YES' OR column_default IS NOT NULL AS may_be_left_out
    FROM information_schema.columns WHERE table_schema = 'public'
"""


def test_the_release_before_works_on_the_migrated_tables(released: Engine) -> None:
    before = rows(released, COLUMNS)

    migrate(released)

    after = rows(released, COLUMNS)
    assert {row[:3] for row in before} - {row[:3] for row in after} == set(), "a migration only adds"
    known, tables = {row[:2] for row in before}, {row.table_name for row in before}
    new = [row for row in after if row.table_name in tables and row[:2] not in known]
    assert [row for row in new if not row.may_be_left_out] == []
    assert value(released, "SELECT oldest_revision_served()") == DUMPED_BEFORE


def test_a_later_version_edits_the_files_of_functions_and_views(
    engine: Engine, later_version: Callable[..., None]
) -> None:
    work_id = add_work(engine, 603)
    tiers = (sql.FOLDER / "age_tiers.sql").read_text()
    coverage = (sql.FOLDER / "v_image_coverage.sql").read_text()
    later_version(
        "ALTER TABLE works ADD COLUMN mood text",
        age_tiers=tiers.replace("181, 14, 20", "181, 15, 20").replace("'The tiers of", "'Tiers of"),
        v_image_coverage=coverage.replace("max(last_error)", "min(last_error)"),
        v_moods="CREATE OR REPLACE VIEW v_moods AS SELECT title, is_mood(title) FROM works;",
        is_mood="CREATE OR REPLACE FUNCTION is_mood(text) RETURNS boolean LANGUAGE sql AS 'SELECT $1 <> $1';",
    )
    days = "SELECT refresh_days FROM age_tiers() WHERE age_tier = '181-365'"
    before = versions(engine, "works")
    planned = plan_migration(engine)
    assert [step.revision for step in planned.steps] == ["0199", *[None] * 4]
    assert planned.steps[0].sql[0].startswith("BEGIN")
    assert value(engine, days) == 14

    done = migrate(engine)

    assert [step.what for step in done.steps] == [step.what for step in planned.steps]
    assert [step.what for step in done.steps][1:] == [
        "replace the body of function age_tiers()",
        "create function is_mood(text)",
        "replace view v_image_coverage",
        "create view v_moods",
    ]
    assert value(engine, days) == 15
    assert value(engine, "SELECT obj_description('age_tiers()'::regprocedure)").startswith("Tiers of")
    assert rows(engine, "SELECT is_mood FROM v_moods") == [(False,)]
    assert value(engine, "SELECT is_stale(:work_id)", work_id=work_id) is True
    assert versions(engine, "works") == before
    assert migrate(engine).steps == []


def test_a_view_that_loses_a_column_and_a_function_of_another_result_are_made_anew(
    engine: Engine, later_version: Callable[..., None]
) -> None:
    later_version(
        "DROP VIEW v_api_calls_by_endpoint, v_api_errors",
        v_api_calls_hourly="CREATE OR REPLACE VIEW v_api_calls_hourly AS SELECT now() AS hour;",
        endpoint_pattern="CREATE OR REPLACE FUNCTION endpoint_pattern(endpoint text) RETURNS integer "
        "LANGUAGE sql AS 'SELECT 1';",
        failure_reason="CREATE OR REPLACE FUNCTION failure_reason(message text) RETURNS text "
        "LANGUAGE sql IMMUTABLE AS 'SELECT message';",
        v_api_errors="CREATE OR REPLACE VIEW v_api_errors AS SELECT endpoint_pattern('/movie/603') AS number;",
        v_api_calls_by_endpoint="CREATE OR REPLACE VIEW v_api_calls_by_endpoint AS SELECT 1 AS number;",
    )

    migrate(engine)

    assert [row._fields for row in rows(engine, "SELECT * FROM v_api_calls_hourly")] == [("hour",)]
    assert value(engine, "SELECT number FROM v_api_errors") == 1
    views = rows(engine, "SELECT viewname FROM pg_views WHERE schemaname = 'public'")
    assert {row.viewname for row in views} == {name for name in sql.definitions() if name.startswith("v_")}


def test_a_taken_over_database_keeps_its_parameters_names_in_a_later_version(
    old_system: Callable[..., Engine], later_version: Callable[..., None]
) -> None:
    engine = old_system("other parameter names")
    execute(engine, "ALTER FUNCTION is_stale(bigint) SECURITY DEFINER")
    migrate(engine)
    is_stale = (sql.FOLDER / "is_stale.sql").read_text()
    later_version("SELECT", is_stale=is_stale.replace("SELECT w.last_refreshed_at IS NULL", "SELECT w.gone_at IS NULL"))

    migrate(engine)

    assert value(engine, "SELECT is_stale(work_id_in => 1)") is True
    assert value(engine, "SELECT prosecdef FROM pg_proc WHERE proname = 'is_stale'") is True
    engine.dispose()


def test_a_revision_before_the_first_release_is_told_what_to_do(engine: Engine) -> None:
    work_id = add_work(engine, 603)
    execute(engine, "DROP TABLE catalogue_version; CREATE TABLE alembic_version (version_num text)")
    execute(engine, "INSERT INTO alembic_version VALUES ('0006'), ('a1b2c3')")

    with pytest.raises(
        MigrationRefused, match=r"public\.alembic_version has the revision 0006, of a version before 0\.1\.0"
    ) as refused:
        migrate(engine)

    (advice,) = str(refused.value).split("`")[1::2]
    execute(engine, advice)
    assert migrate(engine).found.startswith("tables of another program: ")
    check_schema(engine)
    assert value(engine, "SELECT work_id FROM works") == work_id
    assert value(engine, "SELECT string_agg(version_num, ',') FROM alembic_version") == "a1b2c3"


def test_from_nothing_a_single_revision_is_not_run(new_database: Callable[..., str]) -> None:
    engine = connect(new_database())

    with pytest.raises(RuntimeError, match="alembic upgrade head"):
        command.upgrade(alembic_config(engine), "+1")

    assert rows(engine, "SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []
    engine.dispose()
