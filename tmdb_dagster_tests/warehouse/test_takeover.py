"""Databases of the old system, as they have drifted, become current and lose nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import tenacity
from alembic import command
from sqlalchemy import Engine

from tmdb_dagster.warehouse import migrate as migration
from tmdb_dagster.warehouse.engine import check_schema
from tmdb_dagster.warehouse.errors import DatabaseBusy, SchemaNotCurrent
from tmdb_dagster.warehouse.migrate import alembic_config, migrate, plan_migration
from tmdb_dagster_tests.warehouse.database import execute, rows, until, value, versions
from tmdb_dagster_tests.warehouse.old_system import COMBINED, DRIFTS, assert_nothing_lost, state

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
    ("other parameter names", "once in a life by an index", "state with an id", "ingestion log of another shape"),
    ("functions of their owner", "queue keyed by work"),
    ("varchar in the queue", "uuid in the queue", "entries of no work"),
)


def assert_current(engine: Engine, *, unvalidated: int = 0) -> None:
    """The schema is what the migrations make, as far as a plan tells, and a repetition does nothing."""
    check_schema(engine)
    assert value(engine, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
    assert value(engine, "SELECT count(*) FROM pg_constraint WHERE NOT convalidated") == unvalidated
    assert plan_migration(engine).steps == []


def assert_taken_over(engine: Engine, *drifts: str) -> None:
    before = state(engine)

    plan = migrate(engine)

    assert plan.found.startswith("tables of another program: ")
    assert plan.refusals == []
    assert_nothing_lost(before, engine)
    assert_current(engine, unvalidated=int("entries of no work" in drifts))
    # A movie that was completed, or is failed, can be queued again.
    execute(engine, "INSERT INTO refresh_queue (work_id) VALUES (1), (3)")
    engine.dispose()


@pytest.mark.parametrize("drifts", TOGETHER)
def test_drifts_together(old_system: Callable[..., Engine], drifts: tuple[str, ...]) -> None:
    assert_taken_over(old_system(*drifts), *drifts)


@pytest.mark.long
@pytest.mark.parametrize("drift", PLAIN_DRIFTS)
def test_each_drift_alone(old_system: Callable[..., Engine], drift: str) -> None:
    assert_taken_over(old_system(drift), drift)


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


class Killed(BaseException):
    """The process ended here."""


def test_killed_again_and_again_it_goes_on_from_there(
    old_system: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = old_system(*COMBINED)
    before = state(engine)
    take = migration.take
    kills = 0
    for steps in (1, 2, 5, 14, 9, 8, 6, 1, 100):
        left = steps

        def take_or_die(*arguments: Any) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            take(*arguments)

        monkeypatch.setattr(migration, "take", take_or_die)
        try:
            migrate(engine)
        except Killed:
            kills += 1
            assert_nothing_lost(before, engine)
            with pytest.raises(SchemaNotCurrent):
                check_schema(engine)

    assert kills == 8
    assert_nothing_lost(before, engine)
    assert_current(engine)
    engine.dispose()


MIGRATE = """
import sys
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster.warehouse.migrate import migrate

migrate(connect(sys.argv[1]))
"""


def test_an_index_that_a_kill_left_unfinished_is_built_again(old_system: Callable[..., Engine]) -> None:
    engine = old_system("none")
    execute(engine, "CREATE TABLE elsewhere ()")
    unfinished = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
    building = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%'"
    url = engine.url.render_as_string(hide_password=False)
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as other:
        # An index is finished when all transactions are gone that could miss it.
        other.exec_driver_sql("SELECT * FROM elsewhere")
        process = subprocess.Popen([sys.executable, "-c", MIGRATE, url])
        until(lambda: bool(value(engine, unfinished)), "an index that is being built")
        process.kill()
        process.wait()
        execute(engine, f"SELECT pg_terminate_backend(pid) FROM ({building} AND pid <> pg_backend_pid()) b")
        until(lambda: not rows(engine, f"{building} AND pid <> pg_backend_pid()"), "the end of the session")
        other.rollback()
    assert value(engine, unfinished) == 1

    plan = migrate(engine)

    assert [step.what for step in plan.steps if "again" in step.what]
    assert_current(engine)
    engine.dispose()


def test_an_index_that_had_to_wait_too_long_is_built_again(old_system: Callable[..., Engine]) -> None:
    engine = old_system("none")
    execute(engine, f"CREATE TABLE elsewhere (); ALTER DATABASE {engine.url.database} SET lock_timeout = '200ms'")
    engine.dispose()
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as other:
        other.exec_driver_sql("SELECT * FROM elsewhere")
        for _ in range(2):
            with pytest.raises(DatabaseBusy, match="lock timeout"):
                migrate(engine)
        other.rollback()

    migrate(engine)

    assert_current(engine)
    engine.dispose()


def test_a_dry_run_touches_nothing(old_system: Callable[..., Engine]) -> None:
    engine = old_system(*COMBINED)
    before = state(engine)
    stored = versions(engine, "works", "refresh_queue", "pg_class", "pg_attribute", "pg_proc")

    plan = plan_migration(engine)

    assert state(engine) == before
    assert versions(engine, "works", "refresh_queue", "pg_class", "pg_attribute", "pg_proc") == stored
    assert all(step.sql for step in plan.steps)
    [step] = [step for step in plan.steps if "once in its life" in step.what]
    assert 'ALTER TABLE "public"."refresh_queue" DROP CONSTRAINT "refresh_queue_work_id_key"' in step.sql
    dropped = [sql for step in plan.steps for sql in step.sql if "DROP" in sql]
    assert dropped == [sql for sql in step.sql if "DROP" in sql]
    engine.dispose()


def test_who_comes_second_waits_and_gives_up_with_a_clear_error(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "BUSY_WAIT_S", 0.2)
    with engine.begin() as other:
        other.exec_driver_sql(f"SELECT pg_advisory_xact_lock({migration.ADVISORY_LOCK})")
        with pytest.raises(DatabaseBusy, match="Another migration"):
            migrate(engine)
    migrate(engine)


def test_locks_of_others_are_waited_for_in_short_tries(
    old_system: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = old_system("none")
    monkeypatch.setattr(migration, "LOCK_TIMEOUT_S", 0.1)
    retrying = migration.take_in_one_transaction.retry
    monkeypatch.setattr(retrying, "wait", tenacity.wait_fixed(0.1))
    monkeypatch.setattr(retrying, "stop", tenacity.stop_after_attempt(2))
    with engine.begin() as reader:
        reader.exec_driver_sql("SELECT count(*) FROM works")
        with pytest.raises(DatabaseBusy, match="canceling statement due to lock timeout"):
            migrate(engine)
    migrate(engine)
    assert_current(engine)
    engine.dispose()
