"""Who may read and write: on a server with Supabase's roles and default privileges, and on a plain one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from tmdb_dagster.pipeline.ingest import ingest_movie
from tmdb_dagster.pipeline.run import open_run
from tmdb_dagster.services.postgres import database_url, start_postgres, stop_postgres
from tmdb_dagster.settings import REPOSITORY, load_settings
from tmdb_dagster.warehouse import sql
from tmdb_dagster.warehouse.claims import give_back_dead_claims
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster.warehouse.errors import AccessDenied
from tmdb_dagster.warehouse.migrate import migrate
from tmdb_dagster.warehouse.tables import metadata
from tmdb_dagster.warehouse.takeover.access import CONSUMERS_TABLES
from tmdb_dagster_tests.warehouse.database import add_work, execute, rows, value
from tmdb_dagster_tests.warehouse.old_system import COMBINED, TMDB_IDS, build_old_system

DASHBOARD = {"tmdb_api_logs", "scheduled_ingestion_log", "refresh_queue", "sync_state"}
ROLE_SCRIPT = REPOSITORY / "deploy/postgres/pipeline_role.sql"

# On Supabase, too, the owner of the tables is no superuser.
SUPABASE = """
CREATE ROLE anon NOLOGIN; CREATE ROLE authenticated NOLOGIN; CREATE ROLE service_role NOLOGIN BYPASSRLS;
CREATE ROLE operator LOGIN CREATEROLE BYPASSRLS;
GRANT anon, authenticated, service_role TO operator;
"""
DEFAULT_PRIVILEGES = """
GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON SEQUENCES TO anon, authenticated, service_role;
"""


@pytest.fixture(scope="module")
def supabase_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """A server with Supabase's roles: the address of a new database by its name."""
    folder = tmp_path_factory.mktemp("supabase")
    server = start_postgres(folder)
    admin = create_engine(database_url(server, "postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(SUPABASE))
        connection.execute(text("ALTER SYSTEM SET fsync = off"))
        connection.execute(text("SELECT pg_reload_conf()"))

    def new(name: str) -> str:
        url = database_url(server, name)
        with admin.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {name} OWNER TO operator"))
        return make_url(url).set(username="operator").render_as_string(hide_password=False)

    yield new
    stop_postgres(folder)


@pytest.fixture
def supabase(supabase_server: Callable[[str], str], request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An empty database as Supabase gives it to its owner."""
    engine = connect(supabase_server(f"test_{abs(hash(request.node.name))}"))
    execute(engine, DEFAULT_PRIVILEGES)
    yield engine
    engine.dispose()


@contextmanager
def acting_as(engine: Engine, role: str) -> Iterator[Connection]:
    with engine.connect() as connection:
        connection.execute(text(f"SET LOCAL ROLE {role}"))
        yield connection
        connection.rollback()


def may(engine: Engine, role: str, sql: str) -> bool:
    """Whether a role is let through; an empty answer counts as well as any other."""
    with acting_as(engine, role) as connection:
        try:
            connection.execute(text(sql))
        except AccessDenied:
            return False
        return True


def open_tables(engine: Engine) -> set[str]:
    query = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' "
    return {row[0] for row in rows(engine, query + "AND NOT relrowsecurity")}


def test_a_new_database_is_closed_but_for_the_dashboards_reads(supabase: Engine) -> None:
    migrate(supabase)
    work_id = add_work(supabase, 603)
    execute(supabase, "INSERT INTO tmdb_api_logs (endpoint) VALUES ('/movie/603')")

    assert open_tables(supabase) == set()
    for role in ("anon", "authenticated"):
        readable = {name for name in metadata.tables if may(supabase, role, f"SELECT * FROM {name}")}
        assert readable == DASHBOARD
        assert not may(supabase, role, "SELECT * FROM v_cards"), "a view opens nothing by itself"
        for name in [*metadata.tables, "catalogue_version"]:
            assert not may(supabase, role, f"INSERT INTO {name} DEFAULT VALUES"), name
            assert not may(supabase, role, f"DELETE FROM {name}"), name
            assert not may(supabase, role, f"TRUNCATE {name} CASCADE"), name
        assert not may(supabase, role, "SELECT remove_unfinished_works('any')")
        assert not may(supabase, role, "SELECT remove_unknown_works('any', '{1}')")
        assert may(supabase, role, "SELECT request_movie(603)") == (role == "authenticated")
    with acting_as(supabase, "anon") as anon:
        assert anon.scalar(text("SELECT count(*) FROM tmdb_api_logs")) == 1
        assert anon.scalar(text("SELECT is_stale(:work_id)"), {"work_id": work_id}) is True
    with acting_as(supabase, "service_role") as service:
        assert service.scalar(text("SELECT count(*) FROM works")) == 1


def test_the_old_app_reads_what_it_read_by_the_policies_of_the_page(supabase: Engine) -> None:
    migrate(supabase)
    work_id = add_work(supabase, 603)
    tables = ("works", "works_meta", "work_cards_cache", "rating_sources", "aggregates", "similar_movies")
    page = (REPOSITORY / "docs/supabase.md").read_text("utf8")
    (policies,) = [block for block in re.findall(r"```sql\n(.*?)```", page, re.DOTALL) if "CREATE POLICY" in block]
    assert not any(may(supabase, "anon", f"SELECT * FROM {table}") for table in tables)
    assert not may(supabase, "anon", "SELECT * FROM get_stale_movies(10)")

    execute(supabase, policies)

    assert all(may(supabase, "anon", f"SELECT * FROM {table}") for table in tables)
    assert not any(may(supabase, "anon", f"DELETE FROM {table}") for table in tables)
    with acting_as(supabase, "anon") as anon:
        assert anon.scalar(text("SELECT count(*) FROM works")) == 1
        assert anon.scalar(text("SELECT work_id FROM get_stale_movies(10)")) == work_id


def test_a_takeover_closes_new_tables_and_leaves_old_ones_as_they_are(supabase: Engine) -> None:
    build_old_system(supabase, TMDB_IDS, *COMBINED, "policies")
    execute(supabase, "DROP TABLE sync_state")
    policies = "SELECT tablename, policyname, roles::text, cmd, qual FROM pg_policies ORDER BY 1, 2"
    before = rows(supabase, policies)
    were_open = open_tables(supabase)

    plan = migrate(supabase)

    assert open_tables(supabase) == were_open
    assert set(before) < set(rows(supabase, policies))
    assert {row.tablename for row in set(rows(supabase, policies)) - set(before)} == {"sync_state"}
    assert may(supabase, "anon", "SELECT * FROM works")
    assert may(supabase, "anon", "SELECT * FROM sync_state")
    assert not may(supabase, "anon", "INSERT INTO sync_state (sync_type) VALUES ('any')")
    assert not may(supabase, "anon", "SELECT remove_unfinished_works(NULL)")
    assert not may(supabase, "anon", "SELECT request_movie(603)")
    assert may(supabase, "authenticated", "SELECT request_movie(603)")
    assert not any(may(supabase, "anon", f"SELECT * FROM {name}") for name in metadata.tables.keys() - CONSUMERS_TABLES)
    warned = {note.split(" has no row level security")[0] for note in plan.notes if "pg_trgm" not in note}
    assert warned == {"aggregates", "rating_sources", "refresh_queue", "scheduled_ingestion_log", "similar_movies"}


def test_tables_of_later_revisions_and_tables_that_came_open_are_closed(
    supabase: Engine, later_version: Callable[..., None]
) -> None:
    migrate(supabase)
    execute(supabase, "ALTER TABLE run_leases DISABLE ROW LEVEL SECURITY")
    execute(supabase, "GRANT EXECUTE ON FUNCTION request_movie(bigint) TO anon")
    execute(supabase, "REVOKE EXECUTE ON FUNCTION request_movie(bigint) FROM authenticated")
    request_movie = (sql.FOLDER / "request_movie.sql").read_text().replace("any more.", "any longer.")
    later_version(
        "CREATE TABLE later (id integer)",
        v_new="CREATE OR REPLACE VIEW v_new AS SELECT 1 AS one;",
        request_movie=request_movie,
    )

    migrate(supabase)

    assert open_tables(supabase) == set()
    assert not may(supabase, "anon", "SELECT * FROM later")
    assert may(supabase, "anon", "SELECT request_movie(603)"), "who may call it is the owner's affair"
    assert not may(supabase, "authenticated", "SELECT request_movie(603)")
    assert value(supabase, "SELECT reloptions FROM pg_class WHERE relname = 'v_new'") == ["security_invoker=true"]


def test_without_supabases_roles_nothing_is_closed(engine: Engine) -> None:
    assert value(engine, "SELECT count(*) FROM pg_roles WHERE rolname = 'anon'") == 0
    assert value(engine, "SELECT count(*) FROM pg_class WHERE relrowsecurity") == 0


@pytest.fixture(params=["plain", "supabase", "taken over"])
def owner(request: pytest.FixtureRequest) -> Engine:
    """A current database, as its owner."""
    if request.param == "plain":
        engine: Engine = request.getfixturevalue("engine")
        return engine
    engine = request.getfixturevalue("supabase")
    if request.param == "taken over":
        build_old_system(engine, TMDB_IDS, *COMBINED, "policies")
    migrate(engine)
    return engine


def test_the_pipelines_role_can_run_the_pipeline_and_no_more(
    owner: Engine, settings_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    role = f"pipeline_{owner.url.database}"
    script = ROLE_SCRIPT.read_text().replace("tmdb_dagster_pipeline", role)
    for _ in range(2):
        with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(script, execution_options={"no_parameters": True})
    url = owner.url.set(username=role).render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)

    with open_run(load_settings(), run_id="run-1", job="test", origin="tmdb") as run:
        for _ in range(2):
            assert ingest_movie(run, 603, force_refresh=True).status in ("ingested", "unchanged")
        for sql in (
            "DELETE FROM works",
            "DELETE FROM movie_responses",
            "DELETE FROM works_meta",
            "UPDATE tmdb_api_logs SET method = ''",
            "UPDATE catalogue_version SET version_num = ''",
            "TRUNCATE run_leases",
        ):
            assert not may(run.engine, role, sql), sql
        # As if a run's claim had made the row: all that the role may change of it.
        unfinished = "ingestion_status = 'ingesting', claimed_by = 'x', status_before_claim = NULL"
        execute(run.engine, f"UPDATE works SET {unfinished}, last_refreshed_at = NULL")
        written = "SELECT w.work_id, w.ingestion_status FROM works w JOIN works_meta USING (work_id) ORDER BY 1"
        before = rows(run.engine, written)
        execute(run.engine, "SELECT remove_unfinished_works('x')")
        assert rows(run.engine, written) == before != []
        with run.engine.begin() as connection:
            assert give_back_dead_claims(connection) == len(before)
        assert {row.ingestion_status for row in rows(run.engine, written)} == {"pending"}
        for sql in ("DROP TABLE works", "ALTER TABLE works ADD COLUMN mine text"):
            with pytest.raises(AccessDenied, match="must be owner"), run.engine.begin() as connection:
                connection.execute(text(sql))
        with pytest.raises(AccessDenied, match="permission denied for schema"), run.engine.begin() as connection:
            connection.execute(text("CREATE TABLE mine ()"))
    granted = f"SELECT relname FROM pg_class WHERE has_table_privilege('{role}', oid, 'SELECT') AND relkind = 'r'"
    assert metadata.tables.keys() <= {row.relname for row in rows(owner, granted)}
    if value(owner, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        execute(owner, f"DROP OWNED BY {role}; DROP ROLE {role}")
