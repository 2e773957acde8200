from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event

from tmdb_dagster.clock import utc_now
from tmdb_dagster.warehouse import api_log
from tmdb_dagster.warehouse.api_log import ApiLog
from tmdb_dagster.warehouse.call_figures import ERRORS_KEPT, OTHER_ERRORS, RunCalls
from tmdb_dagster.warehouse.errors import ApiLogIncomplete
from tmdb_dagster_tests.warehouse.database import execute, rows, until, value, waits_for_a_lock

COUNT = "SELECT count(*) FROM tmdb_api_logs"


@pytest.fixture(autouse=True)
def _soon_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_log, "FLUSH_EVERY_S", 0.02)


def a_call(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "endpoint": f"/movie/{number}",
        "method": "GET",
        "http_status": 200,
        "query_params": {"language": "en-US"},
        "response_size_bytes": 1234,
        "response_time_ms": 56,
        "results_count": 1,
        "tmdb_id": number,
        "error_message": None,
        "retry_count": 0,
        "metadata": {"append_to_response": ["credits"]},
        "created_at": utc_now(),
        **changes,
    }


def opened(engine: Engine) -> ApiLog:
    return ApiLog(engine, job="weekly_ingest", run_id="run-1")


@pytest.fixture
def statements(engine: Engine) -> Iterator[list[str]]:
    """The INSERTs that reach the database."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "INSERT INTO tmdb_api_logs" in statement:
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_a_call_is_one_row_with_its_job_and_run(engine: Engine) -> None:
    sent = a_call(603, http_status=429, retry_count=2, error_message="too many", results_count=None)

    with opened(engine) as log:
        log.add(sent)

    [row] = rows(engine, "SELECT * FROM tmdb_api_logs")
    found = row._asdict()
    assert {name: found[name] for name in sent if name != "metadata"} == {
        name: wanted for name, wanted in sent.items() if name != "metadata"
    } | {"tmdb_id": "603"}
    assert found["metadata"] == {"append_to_response": ["credits"], "run_id": "run-1"}
    assert found["edge_function"] == "weekly_ingest"
    assert (found["request_body"], found["user_query"], found["voice_event_id"]) == (None, None, None)


def test_nothing_is_lost_when_the_log_is_closed_at_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_log, "FLUSH_EVERY_S", 3600)
    with opened(engine) as log:

        def add_hundred(start: int) -> None:
            for number in range(start, start + 100):
                log.add(a_call(number))

        threads = [threading.Thread(target=add_hundred, args=(start,)) for start in range(0, 800, 100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert value(engine, "SELECT count(DISTINCT tmdb_id) FROM tmdb_api_logs") == 800
    assert (value(engine, COUNT), log.calls.total.calls) == (800, 800)


def test_calls_are_written_while_the_run_goes_on(engine: Engine) -> None:
    with opened(engine) as log:
        log.add(a_call())
        until(lambda: value(engine, COUNT) == 1, "the call to be written")


def test_calls_are_written_in_batches(engine: Engine, statements: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_log, "FLUSH_EVERY_S", 3600)
    with opened(engine) as log:
        for number in range(api_log.ROWS_A_FLUSH + 1):
            log.add(a_call(number))

    assert value(engine, COUNT) == api_log.ROWS_A_FLUSH + 1
    assert len(statements) == 2


def test_a_flush_waits_for_what_another_is_writing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_log, "FLUSH_EVERY_S", 3600)
    with opened(engine) as log, engine.begin() as other:
        other.exec_driver_sql("LOCK TABLE tmdb_api_logs IN ACCESS EXCLUSIVE MODE")
        log.add(a_call())
        threads = [threading.Thread(target=log.flush) for _ in range(2)]
        threads[0].start()
        until(lambda: waits_for_a_lock(engine), "the first to wait for the table")
        threads[1].start()
        threads[1].join(0.2)
        assert threads[1].is_alive(), "the call is not in the table yet"
        other.rollback()
        for thread in threads:
            thread.join()
        assert value(engine, COUNT) == 1


def test_calls_wait_while_the_database_fails(engine: Engine, statements: list[str]) -> None:
    execute(engine, "ALTER TABLE tmdb_api_logs RENAME TO elsewhere")
    with opened(engine) as log:
        log.add(a_call(1))
        until(lambda: len(statements) >= 3, "several attempts")
        log.add(a_call(2))
        execute(engine, "ALTER TABLE elsewhere RENAME TO tmdb_api_logs")
        until(lambda: value(engine, COUNT) == 2, "the next attempt")
        log.add(a_call(3))

    assert [row.tmdb_id for row in rows(engine, "SELECT tmdb_id FROM tmdb_api_logs ORDER BY id")] == ["1", "2", "3"]


def test_what_cannot_be_written_at_the_end_is_an_error(engine: Engine) -> None:
    execute(engine, "DROP TABLE tmdb_api_logs CASCADE")
    log = opened(engine)
    log.add(a_call(1))
    log.add(a_call(2))

    with pytest.raises(ApiLogIncomplete, match="2 calls of run run-1") as caught:
        log.close()

    assert caught.value.__cause__ is not None


def test_the_runs_own_error_says_more_than_an_incomplete_log(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    execute(engine, "DROP TABLE tmdb_api_logs CASCADE")

    def fail() -> None:
        with opened(engine) as log:
            log.add(a_call())
            raise KeyError("the reason")

    with pytest.raises(KeyError, match="the reason"):
        fail()

    assert "tmdb_api_logs is incomplete" in [
        record.message for record in caplog.records if record.levelno >= logging.ERROR
    ]


def test_characters_that_the_database_refuses_do_not_cost_the_log(engine: Engine) -> None:
    with opened(engine) as log:
        log.add(a_call(1, error_message="a NUL \0, and a backslash before letters: \\u0000"))
        log.add(a_call(2))

    assert [row.error_message for row in rows(engine, "SELECT error_message FROM tmdb_api_logs ORDER BY id")] == [
        "a NUL , and a backslash before letters: \\u0000",
        None,
    ]


def test_a_drifted_table_is_filled_as_well(engine: Engine) -> None:
    execute(
        engine,
        """ALTER TABLE tmdb_api_logs DROP COLUMN id, ADD COLUMN id uuid DEFAULT gen_random_uuid(),
        ADD COLUMN created_at_pacific_formatted text""",
    )
    with opened(engine) as log:
        log.add(a_call())

    assert value(engine, "SELECT id IS NOT NULL FROM tmdb_api_logs") is True


def test_the_run_counts_its_calls(engine: Engine) -> None:
    with opened(engine) as log:
        log.add(a_call(1, response_time_ms=10))
        log.add(a_call(2, http_status=429, error_message="/movie/2: TMDB answered 429", response_size_bytes=None))
        log.add(a_call(2, retry_count=1))
        log.add(a_call(3, http_status=429, error_message="/movie/3: TMDB answered 429", retry_count=2))
        log.add(a_call(endpoint="/movie/popular", response_time_ms=900))

    total = log.calls.total
    assert (total.calls, total.retries, total.rate_limited, total.failed) == (5, 2, 2, 2)
    assert (total.error_rate, total.bytes) == (0.4, 4 * 1234)
    assert (total.latency_ms(20), total.latency_ms(50), total.latency_ms(95)) == (10, 56, 900)
    assert {endpoint: figures.calls for endpoint, figures in log.calls.by_endpoint.items()} == {
        "/movie/{id}": 4,
        "/movie/popular": 1,
    }
    assert log.calls.errors == {"/movie/{id}: TMDB answered 429": 2}


def test_figures_without_calls_are_unknown_and_not_zero() -> None:
    figures = RunCalls().of("/movie/popular")

    assert (figures.calls, figures.error_rate, figures.latency_ms(95)) == (0, None, None)


def test_many_different_errors_do_not_fill_the_memory() -> None:
    calls = RunCalls()
    for number in range(ERRORS_KEPT + 7):
        calls.add(a_call(error_message=f"error {number:03}"))

    assert len(calls.errors) == ERRORS_KEPT + 1
    assert calls.errors[OTHER_ERRORS] == 7
