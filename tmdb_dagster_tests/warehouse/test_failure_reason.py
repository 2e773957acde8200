"""What a failed call is, its endpoint and its reason: the database and the memory of a run agree."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tmdb_dagster.warehouse.call_figures import endpoint_pattern, failure_reason, is_failed_call
from tmdb_dagster_tests.warehouse.database import rows, value

MESSAGES = {
    "/movie/603: TMDB answered 503 (attempt 3). Try again later.": "/movie/{id}: TMDB answered 503. Try again later.",
    "/movie/603/credits: gone": "/movie/{id}/credits: gone",
    "/movie/603d: gone": "/movie/603d: gone",
    "/movie/7: no complete answer from TMDB (attempt 1): IncompleteRead(12 bytes read, 999 more expected).": (
        "/movie/{id}: no complete answer from TMDB: IncompleteRead(bytes read, more expected)."
    ),
    "/movie/7: not JSON (attempt 1): unexpected end of data: line 1 column 12 (char 11).": (
        "/movie/{id}: not JSON: unexpected end of data."
    ),
    "https://image.tmdb.org/t/p/w5/a.jpg: the host answered 404": "https://image.tmdb.org/...: the host answered 404",
    "http://127.0.0.1:8000/t/a.jpg: it has 1x1 pixels": "http://127.0.0.1:8000/...: it has 1x1 pixels",
    "The database refused it: value too long": "The database refused it: value too long",
}


@pytest.mark.parametrize(("message", "reason"), MESSAGES.items())
def test_a_reason_is_told_without_its_particulars(message: str, reason: str, engine: Engine) -> None:
    assert value(engine, "SELECT failure_reason(:message)", message=message) == reason
    assert failure_reason(message) == reason


@pytest.mark.parametrize(
    "path", ["/movie/603", "/movie/603/credits", "/movie/popular", "/movie/603-x", "/3d/7", "/a/1b"]
)
def test_an_endpoint_is_told_without_ids(path: str, engine: Engine) -> None:
    assert value(engine, "SELECT endpoint_pattern(:path)", path=path) == endpoint_pattern(path)


def test_a_failed_call_is_the_same_everywhere(engine: Engine) -> None:
    calls = rows(
        engine,
        """SELECT s AS http_status, m AS error_message, is_failed_call(
            jsonb_populate_record(NULL::tmdb_api_logs, jsonb_build_object('http_status', s, 'error_message', m))
        ) AS failed
        FROM unnest(ARRAY[NULL, 0, 199, 200, 304, 399, 400, 404, 429, 500]) AS s, unnest(ARRAY[NULL, 'broken']) AS m""",
    )

    assert [bool(call.failed) for call in calls] == [is_failed_call(call._mapping) for call in calls]
    assert {call.http_status for call in calls if not call.failed} == {None, 200, 304, 399}
