"""Databases of the old system, as they have drifted, become current and lose nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine

from tmdb_dagster.warehouse import migrate as migration
from tmdb_dagster.warehouse.engine import HEAD, check_schema, connect
from tmdb_dagster.warehouse.errors import MigrationRefused
from tmdb_dagster.warehouse.migrate import alembic_config, migrate, plan_migration
from tmdb_dagster_tests.warehouse.database import contents, execute, rows, value
from tmdb_dagster_tests.warehouse.old_system import COMBINED, DRIFTS, build_old_system

TMDB_IDS = (603, 550, 680, 13, 155, 27205, 496243)
PLAIN_DRIFTS = [name for name in DRIFTS if name != "policies"]

TOGETHER = (
    ("none",),
    COMBINED,
    (
        "another result",
        "no queue and no state",
        "no ingestion log",
        "varchar and numeric",
        "fewer columns",
        "fewer keys and defaults",
    ),
    ("other parameter names", "once in a life by an index", "state with an id"),
    ("functions of their owner", "queue keyed by work"),
)

COLUMNS = """
    SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'
    ORDER BY table_name, ordinal_position
"""
SIGNATURES = """
    SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ') ' || pg_get_function_result(p.oid)
    FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
"""
OBJECTS = """
    SELECT 'constraint ' || conrelid::regclass || '.' || conname FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    UNION ALL SELECT 'index ' || indexname FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'policy ' || policyname FROM pg_policies WHERE schemaname = 'public'
"""
ONCE_IN_A_LIFE = {
    "constraint refresh_queue.refresh_queue_work_id_key",
    "index refresh_queue_work_id_key",
    "index one_entry",
    "constraint refresh_queue.refresh_queue_pkey",
    "index refresh_queue_pkey",
}


def state(engine: Engine) -> dict[str, Any]:
    """All rows, and all that a takeover must not take away."""
    columns = rows(engine, COLUMNS)
    tables = sorted({row.table_name for row in columns})
    return {
        "columns": {tuple(row) for row in columns},
        "signatures": {row[0] for row in rows(engine, SIGNATURES)},
        "objects": {row[0] for row in rows(engine, OBJECTS)},
        "rows": contents(engine, *tables),
    }


def assert_nothing_lost(before: dict[str, Any], engine: Engine) -> None:
    after = state(engine)
    assert before["columns"] <= after["columns"]
    assert before["signatures"] <= after["signatures"]
    assert before["objects"] - after["objects"] <= ONCE_IN_A_LIFE
    for table, old_rows in before["rows"].items():
        known = [column for name, column, _ in before["columns"] if name == table]
        kept = [{column: row[column] for column in known} for row in after["rows"][table]]
        assert sorted(old_rows, key=repr_of) == sorted(kept, key=repr_of), table


def repr_of(row: dict[str, Any]) -> str:
    return repr(sorted(row.items()))


@pytest.fixture
def old_system(new_database: Callable[..., str]) -> Callable[..., Engine]:
    """Makes a database of the old system, with drifts."""

    def make(*drifts: str) -> Engine:
        engine = connect(new_database())
        build_old_system(engine, TMDB_IDS, *drifts)
        return engine

    return make


def assert_current(engine: Engine) -> None:
    """The schema is what the migrations make, as far as a plan tells, and a repetition does nothing."""
    check_schema(engine)
    assert value(engine, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
    assert value(engine, "SELECT count(*) FROM pg_constraint WHERE NOT convalidated") == 0
    assert plan_migration(engine).steps == []


def assert_taken_over(engine: Engine) -> None:
    before = state(engine)

    plan = migrate(engine)

    assert plan.takes_over
    assert plan.refusals == []
    assert_nothing_lost(before, engine)
    assert_current(engine)
    # A movie that was completed, or is failed, can be queued again.
    execute(engine, "INSERT INTO refresh_queue (work_id) VALUES (1), (3)")
    engine.dispose()


@pytest.mark.parametrize("drifts", TOGETHER)
def test_drifts_together(old_system: Callable[..., Engine], drifts: tuple[str, ...]) -> None:
    assert_taken_over(old_system(*drifts))


@pytest.mark.long
@pytest.mark.parametrize("drift", PLAIN_DRIFTS)
def test_each_drift_alone(old_system: Callable[..., Engine], drift: str) -> None:
    assert_taken_over(old_system(drift))


def test_no_drift_is_forgotten() -> None:
    assert {drift for drifts in TOGETHER for drift in drifts} == set(PLAIN_DRIFTS)


def test_alembics_own_upgrade_takes_over_as_well(
    old_system: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = old_system(*COMBINED)
    before = state(engine)
    monkeypatch.setenv("DATABASE_URL", engine.url.render_as_string(hide_password=False))
    config = alembic_config(engine)
    config.attributes.clear()

    command.upgrade(config, "head")

    assert_nothing_lost(before, engine)
    assert_current(engine)
    engine.dispose()


def test_a_taken_over_database_has_what_a_new_one_has(old_system: Callable[..., Engine], engine: Engine) -> None:
    """Without a drift the schemas differ in names only: a comparison with the metadata finds nothing but indexes."""
    old = old_system("functions")
    migrate(old)
    bodies = "SELECT proname, prosrc, prosecdef, proconfig FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    described = """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid),
            col_description(c.oid, a.attnum)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    """
    # The old system's own defaults stay.
    own = {("aggregates", "computed_at"), ("rating_sources", "last_seen_at"), ("work_cards_cache", "computed_at")}
    own |= {("tmdb_api_logs", "method"), ("tmdb_api_logs", "retry_count")}

    def columns(one: Engine) -> list[tuple[Any, ...]]:
        return sorted(tuple(row) for row in rows(one, described) if (row[0], row[1]) not in own)

    assert columns(old) == columns(engine)
    assert sorted(map(repr, rows(old, bodies))) == sorted(map(repr, rows(engine, bodies)))
    grants = "SELECT proacl::text FROM pg_proc WHERE proname = 'remove_unfinished_works'"
    assert value(old, grants) == value(engine, grants) is not None
    old.dispose()


@pytest.mark.parametrize(
    ("drift", "call"),
    [
        ("functions", "is_stale(work_id_input => 2), calculate_staleness_days(release_date => now()::date)"),
        ("other parameter names", "is_stale(work_id_in => 2), calculate_staleness_days(release_date => now()::date)"),
    ],
)
def test_functions_keep_their_parameter_names_and_get_our_bodies(
    old_system: Callable[..., Engine], drift: str, call: str
) -> None:
    engine = old_system(drift)
    assert rows(engine, f"SELECT {call}") == [(False, 2)]

    migrate(engine)

    assert rows(engine, f"SELECT {call}") == [(True, 2)]
    parameter = "how_many" if drift == "other parameter names" else "limit_count"
    stale = {row.work_id for row in rows(engine, f"SELECT * FROM get_stale_movies({parameter} => 10)")}
    assert stale == {3, 5, 6, 7}, "2 and 4 are in the queue"
    assert len(rows(engine, "SELECT * FROM get_stale_movies()")) == 4, "its default is kept"
    engine.dispose()
