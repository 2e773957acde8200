from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from tmdb_dagster.warehouse import transaction
from tmdb_dagster.warehouse.engine import SESSION_LIMITS, connect
from tmdb_dagster.warehouse.errors import DatabaseBusy, WarehouseError
from tmdb_dagster.warehouse.transaction import run_statements, run_transaction
from tmdb_dagster_tests.database_proxy import Harm, Plan, Proxy, database_proxy
from tmdb_dagster_tests.warehouse.database import execute, value


@pytest.fixture
def proxied(catalogue_url: str) -> Iterator[tuple[Proxy, Engine]]:
    with database_proxy(catalogue_url) as (proxy, url):
        engine = connect(url.render_as_string(hide_password=False))
        yield proxy, engine
        engine.dispose()


def add_row(connection: Connection) -> int:
    return int(
        connection.execute(text("INSERT INTO works (tmdb_id, title) VALUES ('1', 'A') RETURNING 7")).scalar_one()
    )


def test_a_commit_whose_answer_is_lost_is_not_done_again(proxied: tuple[Proxy, Engine], engine: Engine) -> None:
    proxy, through = proxied
    plan = proxy.arm(Plan(b"COMMIT", "swallow"))

    assert run_transaction(through, add_row) == 7, "a second insert would have been refused"

    assert plan.done == 1
    assert value(engine, "SELECT count(*) FROM works") == 1


def test_statements_in_one_message_are_a_transaction_with_its_limits(engine: Engine) -> None:
    both = text("""
        INSERT INTO works (tmdb_id, title) VALUES (:tmdb_id, 'A');
        SELECT current_setting('lock_timeout') AS lock_timeout, 1 / :divisor AS quotient
    """)

    with pytest.raises(DBAPIError, match="division by zero"):
        run_statements(engine, both, {"tmdb_id": "1", "divisor": 0})
    assert value(engine, "SELECT count(*) FROM works") == 0
    row = run_statements(engine, both, {"tmdb_id": "1", "divisor": 1})
    assert (row.lock_timeout, row.quotient) == (SESSION_LIMITS["lock_timeout"], 1)
    assert value(engine, "SELECT count(*) FROM works") == 1


@pytest.mark.parametrize("harm", ["cut", "swallow"])
def test_statements_whose_answer_is_lost_are_done_again(
    proxied: tuple[Proxy, Engine], engine: Engine, harm: Harm
) -> None:
    proxy, through = proxied
    plan = proxy.arm(Plan(b"INSERT", harm))
    insert = text("INSERT INTO works (tmdb_id, title) VALUES (gen_random_uuid()::text, 'A') RETURNING 7 AS seven")

    assert run_statements(through, insert, {}).seven == 7

    assert plan.done == 1
    assert value(engine, "SELECT count(*) FROM works") == (2 if harm == "swallow" else 1)


def test_a_connection_that_breaks_after_the_answer_is_not_asked_for_anything(proxied: tuple[Proxy, Engine]) -> None:
    proxy, through = proxied
    run_statements(through, text("SELECT 1"), {})
    plan = proxy.arm(Plan(b"", "cut", after=2))  # the pool's question whether it is open, and the statement

    assert run_statements(through, text("SELECT 7 AS seven"), {}).seven == 7

    assert plan.met == 2


def test_a_connection_that_breaks_before_the_commit_costs_nothing(
    proxied: tuple[Proxy, Engine], engine: Engine
) -> None:
    proxy, through = proxied
    plan = proxy.arm(Plan(b"INSERT", "cut"))

    assert run_transaction(through, add_row) == 7

    assert plan.done == 1
    assert value(engine, "SELECT count(*) FROM works") == 1


def test_locks_of_a_client_that_froze_at_commit_are_gone_soon(
    catalogue_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SESSION_LIMITS, "idle_in_transaction_session_timeout", "2s")
    with database_proxy(catalogue_url) as (proxy, url):
        frozen = connect(url.render_as_string(hide_password=False))
        plan = proxy.arm(Plan(b"COMMIT", "freeze"))

        def stay_frozen() -> None:
            with suppress(WarehouseError):
                run_transaction(frozen, add_row)

        threading.Thread(target=stay_frozen, daemon=True).start()
        assert plan.struck.wait(20)
        start = time.monotonic()

        run_transaction(engine, add_row)

        assert 1 < time.monotonic() - start < 20
        assert value(engine, "SELECT count(*) FROM works") == 1


@pytest.mark.parametrize("name", SESSION_LIMITS)
def test_every_transaction_has_limits(engine: Engine, name: str) -> None:
    assert value(engine, "SELECT current_setting(:name)", name=name) != "0"


def test_a_lock_that_cannot_be_had_is_an_error_with_its_cause(
    engine: Engine, catalogue_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "PATIENCE_S", 1.0)
    execute(engine, "INSERT INTO works (tmdb_id, title) VALUES ('1', 'A')")
    other = connect(catalogue_url)
    with other.begin() as holder:
        holder.execute(text("SELECT FROM works FOR UPDATE"))
        with pytest.raises(DatabaseBusy, match="lock timeout"):
            run_transaction(engine, Connection.execute, text("UPDATE works SET title = 'B'"))
    other.dispose()


def test_what_the_database_refuses_is_not_tried_again(engine: Engine) -> None:
    calls = []

    def refused(connection: Connection) -> None:
        calls.append(1)
        connection.execute(text("INSERT INTO works (tmdb_id, title) VALUES (NULL, 'A')"))

    with pytest.raises(IntegrityError):
        run_transaction(engine, refused)
    assert len(calls) == 1
