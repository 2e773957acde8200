"""What a takeover cannot reconcile it refuses before it touches anything; what rows forbid is left out, and said."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, Engine, event

from tmdb_dagster.warehouse.engine import check_schema
from tmdb_dagster.warehouse.errors import MigrationRefused
from tmdb_dagster.warehouse.migrate import migrate, plan_migration
from tmdb_dagster_tests.warehouse.database import execute
from tmdb_dagster_tests.warehouse.old_system import assert_nothing_lost, state

IRRECONCILABLE = {
    "ALTER TABLE works ALTER COLUMN tmdb_id TYPE integer USING tmdb_id::integer": r"works\.tmdb_id is integer",
    "ALTER TABLE works_meta ALTER COLUMN revenue_worldwide TYPE integer": r"works_meta\.revenue_worldwide is integer",
    "ALTER TABLE works_meta ALTER COLUMN streaming TYPE text": r"works_meta\.streaming is text.* TYPE jsonb",
    "ALTER TABLE works_meta ADD COLUMN mood text NOT NULL DEFAULT ''; "
    "ALTER TABLE works_meta ALTER COLUMN mood DROP DEFAULT": r"works_meta\.mood is NOT NULL without a default",
    "UPDATE works SET original_title = title; ALTER TABLE works ALTER COLUMN original_title SET NOT NULL": (
        r"works\.original_title is NOT NULL"
    ),
    "CREATE TYPE state AS ENUM ('pending', 'ingesting', 'complete', 'failed'); "
    "ALTER TABLE works DROP CONSTRAINT works_ingestion_status_check, ALTER COLUMN ingestion_status DROP DEFAULT; "
    "ALTER TABLE works ALTER COLUMN ingestion_status TYPE state USING ingestion_status::state": (
        r"works\.ingestion_status is state, and the pipeline needs text"
    ),
    "ALTER TABLE tmdb_api_logs ALTER COLUMN created_at TYPE timestamp": (
        r"tmdb_api_logs\.created_at is timestamp without time zone"
    ),
    "ALTER TABLE similar_movies DROP COLUMN similar_tmdb_id": r"similar_movies has no column similar_tmdb_id",
    "ALTER TABLE rating_sources DROP CONSTRAINT rating_sources_work_id_source_name_key; "
    "INSERT INTO rating_sources (work_id, source_name) VALUES (1, 'TMDB')": (
        r"rating_sources has several rows with one \(work_id, source_name\), such as 1, TMDB"
    ),
    "INSERT INTO refresh_queue (work_id, status) VALUES (4, 'queued')": r"refresh_queue has several rows .* such as 4",
    "ALTER TABLE scheduled_ingestion_log ADD CHECK (source IN ('popular', 'mixed'))": (
        r"forbids source now_playing, trending, mixed_daily, mixed_weekly, refresh, drain: .*DROP CONSTRAINT"
    ),
    "ALTER TABLE sync_state ALTER COLUMN last_sync_at SET NOT NULL": r"sync_state\.last_sync_at is NOT NULL",
    "DROP TABLE work_cards_cache; CREATE VIEW work_cards_cache AS SELECT work_id FROM works": (
        r"work_cards_cache is a view"
    ),
    "CREATE FUNCTION current_schema_version() RETURNS text LANGUAGE sql AS 'SELECT 4'": (
        r"current_schema_version\(\) returns text, and the pipeline needs integer"
    ),
}


def test_what_cannot_be_reconciled_is_refused_all_at_once_before_anything_is_touched(
    old_system: Callable[..., Engine],
) -> None:
    engine = old_system("none")
    for spoiling in IRRECONCILABLE:
        execute(engine, spoiling)
    before = state(engine)

    plan = plan_migration(engine)
    with pytest.raises(MigrationRefused, match="nothing was changed") as refused:
        migrate(engine)

    assert len(plan.refusals) == len(IRRECONCILABLE)
    assert str(refused.value).splitlines()[1:] == [f"* {refusal}" for refusal in plan.refusals]
    for reason in IRRECONCILABLE.values():
        assert re.search(reason, str(refused.value)), reason
    assert state(engine) == before
    engine.dispose()


def test_a_key_that_forbids_two_sources_is_refused(old_system: Callable[..., Engine]) -> None:
    engine = old_system("none")
    execute(engine, "DELETE FROM similar_movies WHERE source <> 'tmdb'")
    execute(engine, "ALTER TABLE similar_movies ADD CONSTRAINT once UNIQUE (work_id, similar_tmdb_id)")

    [refusal] = plan_migration(engine).refusals

    assert refusal.startswith("similar_movies may have only one row for each (work_id, similar_tmdb_id), and ")
    assert refusal.endswith(': ALTER TABLE "public"."similar_movies" DROP CONSTRAINT "once";')
    engine.dispose()


NEEDED = {
    "works.tmdb_id": ("varchar", "text"),
    "works.last_refreshed_at": ("timestamp", "timestamp with time zone"),
    "works_meta.streaming": ("text", "jsonb"),
    "work_cards_cache.payload": ("text", "jsonb"),
    "similar_movies.similar_tmdb_id": ("varchar", "text"),
    "tmdb_api_logs.created_at": ("timestamp", "timestamp with time zone"),
    "scheduled_ingestion_log.created_at": ("timestamp", "timestamp with time zone"),
    "refresh_queue.queued_at": ("timestamp", "timestamp with time zone"),
    "refresh_queue.processed_at": ("timestamp", "timestamp with time zone"),
    "sync_state.last_sync_at": ("timestamp", "timestamp with time zone"),
}
"""Columns that the pipeline's SQL compares or computes with, a near type that others may have, and the one it needs."""


def test_a_column_that_sql_computes_with_has_its_own_type(old_system: Callable[..., Engine]) -> None:
    engine = old_system("none")
    for column, (near, _) in NEEDED.items():
        table, name = column.split(".")
        execute(engine, f"ALTER TABLE {table} ALTER COLUMN {name} TYPE {near}")

    plan = plan_migration(engine)

    refused = dict(re.findall(r"^(\S+) is .*, and the pipeline needs (.*?):", refusal)[0] for refusal in plan.refusals)
    assert refused == {column: needed for column, (_, needed) in NEEDED.items()}
    engine.dispose()


def test_near_types_of_other_columns_will_do(old_system: Callable[..., Engine]) -> None:
    engine = old_system("none")
    for column, near in (
        ("works.title", "varchar"),
        ("works.created_at", "timestamp"),
        ("works_meta.trailers", "text"),
        ("work_cards_cache.payload_short", "text"),
    ):
        table, name = column.split(".")
        execute(engine, f"ALTER TABLE {table} ALTER COLUMN {name} TYPE {near}")

    assert plan_migration(engine).refusals == []
    engine.dispose()


def test_tables_whose_works_are_not_there_are_taken_over(old_system: Callable[..., Engine]) -> None:
    engine = old_system("none")
    execute(engine, "DROP TABLE works CASCADE")
    before = state(engine)

    plan = migrate(engine)

    assert "works_meta has 4 rows of works that do not exist: they stay." in plan.notes
    assert_nothing_lost(before, engine)
    check_schema(engine)
    engine.dispose()


def test_the_tables_of_another_role_are_refused(old_system: Callable[..., Engine]) -> None:
    engine = old_system("none")
    role = f"someone_{engine.url.database}"
    execute(engine, f"CREATE ROLE {role}; GRANT USAGE, CREATE ON SCHEMA public TO {role}")
    execute(engine, f"GRANT CREATE ON DATABASE {engine.url.database} TO {role}")
    execute(engine, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")

    @event.listens_for(engine, "begin")
    def _act_as(connection: Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL ROLE {role}")

    with pytest.raises(MigrationRefused, match="works belongs to the role postgres"):
        migrate(engine)
    event.remove(engine, "begin", _act_as)
    execute(engine, f"DROP OWNED BY {role}; DROP ROLE {role}")
    engine.dispose()


def test_another_programs_revision_is_refused(engine: Engine) -> None:
    execute(engine, "UPDATE catalogue_version SET version_num = 'a1b2c3'")

    with pytest.raises(MigrationRefused, match=r"revision a1b2c3.*DATABASE_SCHEMA"):
        migrate(engine)


def test_what_rows_forbid_is_left_out_and_said(old_system: Callable[..., Engine]) -> None:
    engine = old_system("fewer keys and defaults")
    execute(engine, "INSERT INTO similar_movies (work_id, similar_tmdb_id, source) VALUES (999, '1', 'tmdb')")
    execute(engine, "INSERT INTO rating_sources (work_id, source_name, scale_type) VALUES (1, 'RT', 'percent')")
    execute(engine, "ALTER TABLE works DROP CONSTRAINT works_imdb_id_key; UPDATE works SET imdb_id = 'tt1'")
    before = state(engine)

    plan = migrate(engine)

    assert_nothing_lost(before, engine)
    assert sorted(note.split(":")[0] for note in plan.notes if "pg_trgm" not in note) == [
        "rating_sources has 1 rows that break CHECK ((scale_type = ANY (ARRAY['0_10'",
        "similar_movies has 1 rows of works that do not exist",
        "works has several rows with one (imdb_id), such as tt1",
    ]
    check_schema(engine)
    engine.dispose()
