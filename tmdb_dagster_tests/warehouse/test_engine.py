from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from tmdb_dagster.warehouse.engine import check_schema, connect, json_parameter, reachable
from tmdb_dagster.warehouse.errors import DatabaseUnavailable, SchemaNotCurrent
from tmdb_dagster.warehouse.migrate import migrate
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
        with reachable(engine), engine.begin() as connection:
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


def test_another_revision_says_which(engine: Engine) -> None:
    check_schema(engine)
    execute(engine, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(SchemaNotCurrent, match="at revision 9999"):
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


def test_errors_of_the_program_are_not_called_unreachable(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError), reachable(engine):
        _ = 1 / 0
    with pytest.raises(OperationalError, match="no such"):
        raise OperationalError("SELECT", {}, Exception("no such"))


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
