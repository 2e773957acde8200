from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import nullcontext

import pytest
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from tmdb_dagster.warehouse.engine import HEAD, address, check_schema, connect, json_parameter
from tmdb_dagster.warehouse.errors import (
    AccessDenied,
    DatabaseBusy,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseUnavailable,
    MigrationRefused,
    QueryCanceled,
    SchemaNotCurrent,
    TooFewConnections,
    UnsuitableDatabase,
    WarehouseError,
)
from tmdb_dagster.warehouse.migrate import migrate
from tmdb_dagster.warehouse.probe import check_writable
from tmdb_dagster_tests.warehouse.database import execute, value

PASSWORD = "hunter2-s3cret"


def nobody_there() -> str:
    """The address of a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"postgresql+psycopg2://reader:{PASSWORD}@127.0.0.1:{port}/movies?sslmode=prefer"


@pytest.mark.parametrize("use", [check_schema, migrate], ids=["check_schema", "migrate"])
def test_an_unreachable_database_is_one_clear_error_without_the_password(use: Callable[[Engine], None]) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        use(connect(nobody_there()))

    message = str(caught.value)
    assert "DATABASE_URL" in message
    assert "127.0.0.1" in message
    assert "Connection refused" in message
    assert "\n" not in message
    error: BaseException | None = caught.value
    while error is not None:
        assert PASSWORD not in str(error)
        error = error.__cause__ or error.__context__


def test_a_database_that_does_not_exist_is_named(catalogue_url: str) -> None:
    url = make_url(catalogue_url).set(database="no_such_database").render_as_string(hide_password=False)

    with pytest.raises(DatabaseUnavailable, match="no_such_database"):
        check_schema(connect(url))


def test_a_wrong_password_does_not_show_the_right_or_the_wrong_one(catalogue_url: str) -> None:
    url = make_url(catalogue_url).set(username="nobody", password=PASSWORD).render_as_string(hide_password=False)

    with pytest.raises(DatabaseUnavailable, match="nobody") as caught:
        check_schema(connect(url))
    assert PASSWORD not in str(caught.value)


def test_a_connection_that_breaks_is_an_unreachable_database(catalogue_url: str, engine: Engine) -> None:
    other = connect(catalogue_url)

    def break_off() -> None:
        with engine.begin() as connection:
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            execute(other, "SELECT pg_terminate_backend(:pid)", pid=pid)
            connection.exec_driver_sql("SELECT 1")

    with pytest.raises(DatabaseUnavailable):
        break_off()
    other.dispose()


def test_after_a_restart_the_pool_connects_anew(catalogue_url: str, engine: Engine) -> None:
    other = connect(catalogue_url)
    pid = value(engine, "SELECT pg_backend_pid()")
    execute(other, "SELECT pg_terminate_backend(:pid)", pid=pid)
    other.dispose()

    assert value(engine, "SELECT pg_backend_pid()") != pid


def test_an_empty_database_says_what_to_run(new_database: Callable[..., str]) -> None:
    engine = connect(new_database())

    with pytest.raises(SchemaNotCurrent, match=r"at revision none, .* run `tmdb-dagster migrate`"):
        check_schema(engine)
    engine.dispose()


@pytest.mark.parametrize(
    ("revision", "served", "told"),
    [
        ("0001", "0001", "at revision 0001, and this version needs .*: run `tmdb-dagster migrate`"),
        ("9999", "9000", "at revision 9999, of a later version, .* from revision 9000 on; .*: update it"),
        ("9999", HEAD, None),
    ],
    ids=["older", "two releases ahead", "one release ahead"],
)
def test_a_database_of_another_version_is_refused_or_served(
    engine: Engine, revision: str, served: str, told: str | None
) -> None:
    execute(engine, "UPDATE catalogue_version SET version_num = :revision", revision=revision)
    execute(engine, "DROP FUNCTION oldest_revision_served()")
    execute(engine, f"CREATE FUNCTION oldest_revision_served() RETURNS text LANGUAGE sql AS $$SELECT '{served}'$$")

    with nullcontext() if told is None else pytest.raises(SchemaNotCurrent, match=told):
        check_schema(engine)


def test_the_schema_is_set_for_each_transaction_and_no_longer(catalogue_url: str) -> None:
    """A pooler lends a connection for one transaction: nothing may stay behind on it."""
    engine = connect(catalogue_url, schema="movies", connections=1)
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SHOW search_path").scalar() == "movies"
        raw = connection.connection.dbapi_connection
    assert raw is not None
    cursor = raw.cursor()
    cursor.execute("SHOW search_path")
    assert cursor.fetchone() == ('"$user", public',)
    engine.dispose()


STATES: list[tuple[str, type[WarehouseError], str]] = [
    ("25006", DatabaseReadOnly, "is read-only: told. Write to the primary server"),
    ("42501", AccessDenied, "pipeline_role.sql"),
    ("53100", DatabaseFull, "Free space"),
    ("53200", DatabaseFull, "no room"),
    ("53300", TooFewConnections, "Lower TMDB_CONCURRENCY"),
    ("55P03", DatabaseBusy, "pg_stat_activity"),
    ("40P01", DatabaseBusy, "Try again later"),
    ("57014", QueryCanceled, "ended a statement"),
    ("57P01", DatabaseUnavailable, "that the server is up"),
    ("08006", DatabaseUnavailable, "Check host"),
    ("42P01", SchemaNotCurrent, "tmdb-dagster migrate"),
]


@pytest.mark.parametrize(("code", "error", "cure"), STATES)
def test_each_state_of_the_database_is_one_sentence_of_cause_and_cure(
    code: str, error: type[WarehouseError], cure: str, engine: Engine
) -> None:
    with pytest.raises(error, match=cure) as caught:
        execute(engine, f"DO $$ BEGIN RAISE EXCEPTION 'told' USING ERRCODE = '{code}'; END $$")

    assert type(caught.value) is error
    assert str(caught.value).startswith(f"The database at {address(str(engine.url))} ")
    assert "told. " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("code", ["22P05", "23514", "54000"])
def test_a_value_that_does_not_fit_is_no_state_of_the_database(code: str, engine: Engine) -> None:
    """Program limits, too: an index row of one value that is too long."""
    with pytest.raises(DBAPIError):
        execute(engine, f"DO $$ BEGIN RAISE EXCEPTION 'told' USING ERRCODE = '{code}'; END $$")


def test_a_read_only_database_is_told_by_the_first_write(engine: Engine) -> None:
    execute(engine, f"ALTER DATABASE {engine.url.database} SET default_transaction_read_only = on")
    engine.dispose()

    check_schema(engine)
    with pytest.raises(DatabaseReadOnly, match="cannot execute INSERT in a read-only transaction"):
        check_writable(engine)


def test_who_may_read_and_not_write_is_told_so(engine: Engine) -> None:
    role = f"reader_{engine.url.database}"
    execute(engine, f"CREATE ROLE {role}; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    execute(engine, f"GRANT INSERT ON sync_state TO {role}; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}")

    @event.listens_for(engine, "begin")
    def _act_as(connection: Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL ROLE {role}")

    with pytest.raises(AccessDenied, match=r"may not read and write aggregates, .*pipeline_role\.sql"):
        check_writable(engine)
    event.remove(engine, "begin", _act_as)
    execute(engine, f"REVOKE INSERT ON sync_state FROM {role}")
    event.listen(engine, "begin", _act_as)
    with pytest.raises(AccessDenied, match=r"permission denied for table sync_state\. Use a role with these rights"):
        check_writable(engine)
    event.remove(engine, "begin", _act_as)
    execute(engine, f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_check_for_writing_leaves_nothing(engine: Engine) -> None:
    check_writable(engine)
    check_writable(engine)

    assert value(engine, "SELECT count(*) FROM sync_state") == 0


def test_a_role_without_a_connection_left_is_told_what_to_lower(catalogue_url: str, engine: Engine) -> None:
    role = f"few_{engine.url.database}"
    execute(engine, f"CREATE ROLE {role} LOGIN PASSWORD 'x' CONNECTION LIMIT 0")
    few = connect(make_url(catalogue_url).set(username=role, password="x").render_as_string(hide_password=False))

    with pytest.raises(TooFewConnections, match=r"too many connections for role .* Lower TMDB_CONCURRENCY"):
        check_schema(few)
    execute(engine, f"DROP ROLE {role}")


def test_another_encoding_than_utf8_is_refused_and_costs_no_run(catalogue_url: str, engine: Engine) -> None:
    """A value that it cannot hold is refused by the server, as any value that does not fit: not by the client."""
    name = f"{engine.url.database}_latin1"
    admin = create_engine(catalogue_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(
            f"CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
    latin1 = connect(make_url(catalogue_url).set(database=name).render_as_string(hide_password=False))
    try:
        with pytest.raises(MigrationRefused, match=r"encoding is LATIN1.* ENCODING 'UTF8'"):
            migrate(latin1)
        with pytest.raises(UnsuitableDatabase, match="encoding is LATIN1"):
            check_writable(latin1)
        with pytest.raises(DBAPIError, match="has no equivalent in encoding"):
            value(latin1, "SELECT CAST(:title AS text)", title="千と千尋の神隠し")
    finally:
        latin1.dispose()
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name}")


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("a\0b", "ab"),
        ("\0\0", ""),
        ("\\\0", "\\"),
        ("\\u0000", "\\u0000"),
        ("\\\\u0000\0", "\\\\u0000"),
        ("☃ \ud7ff", "☃ \ud7ff"),
    ],
)
def test_a_text_is_stored_without_nul_characters(engine: Engine, given: str, stored: str) -> None:
    found = value(engine, "SELECT CAST(:given AS jsonb) ->> 'text'", given=json_parameter({"text": given}))
    assert found == stored
