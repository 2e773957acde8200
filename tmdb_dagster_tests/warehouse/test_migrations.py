from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from alembic import command
from sqlalchemy import Engine

from tmdb_dagster.warehouse.engine import HEAD, check_schema, connect
from tmdb_dagster.warehouse.errors import SchemaNotCurrent
from tmdb_dagster.warehouse.migrate import alembic_config, migrate
from tmdb_dagster.warehouse.tables import metadata
from tmdb_dagster_tests.warehouse.database import add_work, execute, rows, until, value, versions

MINE = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = :schema AND c.relkind IN ('r', 'p')
"""


def tables_in(engine: Engine, schema: str = "public") -> set[str]:
    return {row.relname for row in rows(engine, MINE, schema=schema)}


@contextmanager
def connected(url: str, schema: str = "public") -> Iterator[Engine]:
    engine = connect(url, schema=schema)
    yield engine
    engine.dispose()


def test_an_empty_database_gets_every_table_and_no_difference(new_database: Callable[..., str]) -> None:
    with connected(new_database()) as engine:
        migrate(engine)

        assert tables_in(engine) == {*metadata.tables, "catalogue_version"}
        assert value(engine, "SELECT version_num FROM catalogue_version") == HEAD
        check_schema(engine)
        command.check(alembic_config(engine))


def test_the_check_would_see_a_difference(engine: Engine) -> None:
    execute(engine, "ALTER TABLE works_meta ALTER COLUMN budget TYPE integer")

    with pytest.raises(Exception, match="New upgrade operations detected"):
        command.check(alembic_config(engine))


def test_what_is_found_is_told_before_anything_is_done(new_database: Callable[..., str]) -> None:
    told: list[tuple[str, set[str]]] = []
    with connected(new_database()) as engine:
        migrate(engine, on_plan=lambda plan: told.append((plan.found, tables_in(engine))))

    assert told == [("no tables of the catalogue", set())]


def test_a_repetition_changes_nothing(engine: Engine) -> None:
    add_work(engine, 603)
    before = versions(engine, "works", "catalogue_version")

    migrate(engine)

    assert versions(engine, "works", "catalogue_version") == before


MIGRATE = """
import sys
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster.warehouse.migrate import migrate

engine = connect(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
migrate(engine)
"""


def test_processes_that_migrate_at_once_all_succeed(new_database: Callable[..., str]) -> None:
    url = new_database()
    processes = [
        subprocess.Popen([sys.executable, "-c", MIGRATE, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.stdout.readline() for process in processes if process.stdout] == ["ready\n"] * 2
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    with connected(url) as engine:
        with engine.connect() as other:
            # Whoever is first has to wait for this table, and is in the middle of its work when the second comes.
            other.exec_driver_sql("CREATE TABLE works ()")
            for process in processes:
                assert process.stdin
                process.stdin.write("go\n")
                process.stdin.flush()
            until(lambda: value(engine, waiting) == 1 and value(engine, sessions) >= 4, "both to be under way")
            other.rollback()

        for process in processes:
            process.communicate(timeout=60)
        assert [process.returncode for process in processes] == [0, 0]
        assert tables_in(engine) == {*metadata.tables, "catalogue_version"}


def test_down_to_nothing_and_up_again(new_database: Callable[..., str]) -> None:
    with connected(new_database()) as engine:
        migrate(engine)
        command.downgrade(alembic_config(engine), "base")

        assert tables_in(engine) == {"catalogue_version"}
        functions = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        assert value(engine, functions) == 0
        with pytest.raises(SchemaNotCurrent):
            check_schema(engine)

        migrate(engine)

        command.check(alembic_config(engine))


def test_another_schema_holds_everything(new_database: Callable[..., str]) -> None:
    url = new_database()
    with connected(url, "movies") as engine:
        migrate(engine, "movies")

        assert tables_in(engine, "movies") == {*metadata.tables, "catalogue_version"}
        assert tables_in(engine, "public") == set()
        check_schema(engine)
        command.check(alembic_config(engine, "movies"))
        work_id = add_work(engine, 603)
        assert value(engine, "SELECT is_stale(:work_id)", work_id=work_id) is True
        migrate(engine, "movies")
    with connected(url) as elsewhere:
        with pytest.raises(SchemaNotCurrent):
            check_schema(elsewhere)
        migrate(elsewhere)
        assert value(elsewhere, "SELECT count(*) FROM works") == 0
        assert value(elsewhere, "SELECT count(*) FROM movies.works") == 1


def test_alembics_own_command_line_finds_the_database(
    new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_database()
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("DATABASE_SCHEMA", "movies")
    with connected(url, "movies") as engine:
        config = alembic_config(engine)
        config.attributes.clear()

        command.upgrade(config, "head")

        assert "works" in tables_in(engine, "movies")


def test_every_table_column_and_function_has_a_comment(engine: Engine) -> None:
    silent = """
        SELECT c.relname || coalesce('.' || a.attname, '')
        FROM pg_class c
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> 'catalogue_version'
            AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)
        UNION ALL
        SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND obj_description(oid) IS NULL
    """
    assert rows(engine, silent) == []


def test_the_columns_that_consumers_read_are_there(engine: Engine) -> None:
    contract = {
        "works": "work_id tmdb_id imdb_id title original_title year release_date last_refreshed_at request_count "
        "ingestion_status created_at updated_at",
        "works_meta": "work_id runtime_minutes runtime_display tagline overview overview_short genres keywords "
        "certification poster_url_small poster_url_medium poster_url_large poster_url_original backdrop_url "
        "backdrop_url_mobile trailer_youtube_id trailer_thumbnail cast_members crew_members trailers still_images "
        "streaming production_companies collection production_countries spoken_languages original_language budget "
        "revenue_worldwide similar_movie_ids schema_version fetched_at updated_at",
        "rating_sources": "rating_id work_id source_name scale_type value_raw value_0_100 votes_count last_seen_at",
        "aggregates": "work_id method_version ai_score ai_score_low ai_score_high n_audience n_critics "
        "audience_score source_scores inputs_fingerprint computed_at",
        "similar_movies": "work_id similar_tmdb_id source rank_order confidence notes created_at",
        "work_cards_cache": "work_id payload payload_short etag computed_at",
        "tmdb_api_logs": "endpoint method http_status query_params request_body response_size_bytes response_time_ms "
        "results_count edge_function user_query tmdb_id voice_event_id error_message retry_count metadata created_at",
        "scheduled_ingestion_log": "id source movies_checked movies_skipped movies_ingested movies_failed "
        "ingested_titles failed_titles duration_ms trigger_type created_at",
        "refresh_queue": "id work_id priority status queued_at processed_at retry_count last_error created_at",
        "sync_state": "sync_type last_sync_at last_sync_cursor sync_count updated_at",
    }
    found = rows(
        engine,
        "SELECT table_name, array_agg(column_name::text) AS columns FROM information_schema.columns "
        "WHERE table_schema = 'public' GROUP BY table_name",
    )
    columns = {row.table_name: set(row.columns) for row in found}
    assert {table: set(names.split()) - columns[table] for table, names in contract.items()} == {
        table: set() for table in contract
    }


def test_a_deleted_work_takes_all_its_rows_along(engine: Engine) -> None:
    referring = rows(
        engine,
        "SELECT conrelid::regclass::text AS child, confdeltype::text AS deletes FROM pg_constraint "
        "WHERE contype = 'f' AND confrelid = 'works'::regclass",
    )
    assert {row.child for row in referring} >= {"works_meta", "refresh_queue", "movie_responses"}
    assert {row.deletes for row in referring} == {"c"}
