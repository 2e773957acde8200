"""What request_movie answers and does, as a reader calls it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tmdb_dagster.pipeline.enrich import enrich
from tmdb_dagster.pipeline.ingest import ingest_movie
from tmdb_dagster.pipeline.outcome import MovieOutcome
from tmdb_dagster.pipeline.refresh import DrainRequest, drain_queue
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.warehouse.claims import Target, give_back_claims, give_back_dead_claims
from tmdb_dagster.warehouse.errors import AccessDenied
from tmdb_dagster.warehouse.retention import remove_old_rows
from tmdb_dagster_tests.pipeline.enriching import ignore, some_movies
from tmdb_dagster_tests.warehouse.database import add_work, execute, rows, take_lease, value

Start = Callable[..., Run]
Ask = Callable[..., dict[str, Any]]

QUEUE = (
    "SELECT w.tmdb_id, q.priority, q.reason, q.status FROM refresh_queue q JOIN works w USING (work_id) ORDER BY q.id"
)


@pytest.fixture
def reader(engine: Engine) -> Iterator[str]:
    """A role that may call the function, and nothing else."""
    role = f"reader_{engine.url.database}"
    execute(engine, f"CREATE ROLE {role}; GRANT EXECUTE ON FUNCTION request_movie(bigint) TO {role}")
    yield role
    execute(engine, f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.fixture
def ask(engine: Engine, reader: str) -> Ask:
    """Asks for a movie as that role, signed in as `person`."""

    def ask(tmdb_id: int | None, person: str | None = None) -> dict[str, Any]:
        with engine.begin() as connection:
            claims = json.dumps({"role": "authenticated", "sub": person}) if person else ""
            connection.execute(text("SELECT set_config('request.jwt.claims', :claims, true)"), {"claims": claims})
            connection.execute(text(f"SET LOCAL ROLE {reader}"))
            answer = connection.scalar(text("SELECT request_movie(tmdb_id => :id)"), {"id": tmdb_id})
        assert isinstance(answer, dict)
        assert answer.keys() == {"status", "work_id", "reason"}
        return answer

    return ask


def limit(engine: Engine, **caps: int) -> None:
    """As docs/app.md says."""
    for name, cap in caps.items():
        execute(
            engine,
            f"INSERT INTO request_limits ({name}) VALUES (:cap) "
            f"ON CONFLICT (only_row) DO UPDATE SET {name} = EXCLUDED.{name}",
            cap=cap,
        )


def drain(run: Run) -> None:
    drain_queue(run, DrainRequest(), ignore)


def test_an_unknown_movie_is_queued_once_and_then_complete(
    ask: Ask, engine: Engine, start_run: Start, sandbox: SandboxServer
) -> None:
    first, again = ask(603), ask(603)

    work_id = value(engine, "SELECT work_id FROM works")
    assert first == again == {"status": "queued", "work_id": work_id, "reason": None}
    assert [tuple(row) for row in rows(engine, QUEUE)] == [("603", 100, "requested", "queued")]
    [work] = rows(engine, "SELECT ingestion_status, added_by, request_count FROM works")
    assert tuple(work) == ("pending", "request", 2)

    drain(start_run())

    assert ask(603) == {"status": "complete", "work_id": work_id, "reason": None}
    assert sandbox.stats.calls == 1
    assert value(engine, "SELECT request_count FROM works") == 3
    assert value(engine, "SELECT payload ->> 'tmdb_id' FROM work_cards_cache") == "603"


@pytest.mark.parametrize(
    "state",
    [
        "UPDATE works SET last_refreshed_at = now() - interval '31 days'",
        "UPDATE works SET ingestion_status = 'failed', retry_at = now() + interval '1 day'",
        "UPDATE works SET ingestion_status = NULL",
        "UPDATE works SET ingestion_status = 'ingesting', claimed_by = 'dead'",
    ],
)
def test_what_is_not_fresh_is_queued(ask: Ask, engine: Engine, start_run: Start, state: str) -> None:
    run = start_run()
    ingest_movie(run, 603)
    execute(engine, state)

    assert ask(603)["status"] == "queued"
    drain(run)

    assert ask(603)["status"] == "complete"


def test_a_queued_movie_goes_ahead_once_it_is_asked_for(ask: Ask, engine: Engine) -> None:
    work_id = add_work(engine, 603)
    execute(
        engine,
        "INSERT INTO refresh_queue (work_id, priority, reason, due_at) "
        "VALUES (:id, 10, 'stale', now() + interval '1 hour')",
        id=work_id,
    )

    assert ask(603) == {"status": "queued", "work_id": work_id, "reason": None}

    assert [tuple(row) for row in rows(engine, QUEUE)] == [("603", 100, "requested", "queued")]
    assert value(engine, "SELECT due_at <= now() FROM refresh_queue") is True


@pytest.mark.parametrize("dies", [True, False])
def test_a_movie_that_a_run_is_at_is_not_lost_with_the_run(ask: Ask, engine: Engine, dies: bool) -> None:
    take_lease(engine, "run-1")
    work_id = add_work(engine, 603, ingestion_status="ingesting", claimed_by="run-1", added_by="discovery")

    assert ask(603) == {"status": "queued", "work_id": work_id, "reason": None}
    assert rows(engine, QUEUE) == []
    with engine.begin() as connection:
        if dies:
            take_lease(engine, "run-1", seconds=-1)
            give_back_dead_claims(connection)
        else:
            give_back_claims(connection, "run-1")

    assert value(engine, "SELECT ingestion_status FROM works") == "pending"


def test_what_tmdb_does_not_know_leaves_no_row_and_costs_one_call_a_week(
    ask: Ask, engine: Engine, start_run: Start, sandbox: SandboxServer
) -> None:
    ask(604)
    drain(start_run())

    refused = ask(604)

    assert refused == {"status": "refused", "work_id": None, "reason": "TMDB does not know this movie."}
    assert rows(engine, "SELECT FROM works") == rows(engine, "SELECT FROM refresh_queue") == []
    assert sandbox.stats.calls == 1
    [log] = rows(engine, "SELECT movies_checked, movies_ingested, movies_failed FROM scheduled_ingestion_log")
    assert tuple(log) == (1, 0, 1)

    execute(engine, "UPDATE refused_requests SET refused_at = refused_at - interval '8 days'")
    assert ask(604)["status"] == "queued"
    assert remove_old_rows(engine, log_days=90, history_days=90)["refused_requests"] == 1


def test_a_movie_that_is_gone_is_refused(ask: Ask, engine: Engine) -> None:
    work_id = add_work(engine, 603, gone_at="now", ingestion_status="failed")

    assert ask(603) == {"status": "refused", "work_id": work_id, "reason": "TMDB does not know this movie any more."}


@pytest.mark.parametrize("tmdb_id", [None, 0, -1, 2**31])
def test_what_is_no_id_is_refused(ask: Ask, engine: Engine, tmdb_id: int | None) -> None:
    refused = ask(tmdb_id)

    assert refused["status"] == "refused"
    assert refused["reason"].startswith(f"tmdb_id is {tmdb_id or ('missing' if tmdb_id is None else 0)}, and must be")
    assert rows(engine, "SELECT FROM works") == []


def test_only_so_many_requests_wait_at_once(ask: Ask, engine: Engine, start_run: Start, sandbox: SandboxServer) -> None:
    limit(engine, waiting=2)
    first, second, third = some_movies(sandbox, 3)
    assert [ask(first)["status"], ask(second)["status"], ask(second)["status"]] == ["queued"] * 3

    refused = ask(third)

    assert refused == {
        "status": "refused",
        "work_id": None,
        "reason": "As many requests wait as may wait at once (2): ask again later.",
    }
    assert value(engine, "SELECT count(*) FROM works") == 2
    drain(start_run())
    assert ask(third)["status"] == "queued"


def test_only_so_many_are_queued_in_a_day_whatever_becomes_of_them(ask: Ask, engine: Engine, start_run: Start) -> None:
    limit(engine, per_day=2)
    ask(604)
    drain(start_run())  # removes it
    ask(603)

    assert ask(550)["reason"] == "As many movies were asked for as may be in a day (2): ask again tomorrow."
    assert ask(603)["status"] == "queued", "what is queued already costs nothing"

    execute(engine, "UPDATE request_counts SET day = day - 1")
    assert ask(550)["status"] == "queued"
    execute(engine, "UPDATE request_counts SET day = day - 1 WHERE requests = 2")
    assert remove_old_rows(engine, log_days=90, history_days=90)["request_counts"] == 1
    assert value(engine, "SELECT requests FROM request_counts") == 1


def test_a_person_has_a_share_of_the_day(ask: Ask, engine: Engine) -> None:
    limit(engine, per_person=1)
    assert ask(603, "ann")["status"] == "queued"

    assert ask(550, "ann")["reason"] == "You have asked for as many movies as you may in a day (1): ask again tomorrow."
    assert ask(550, "bob")["status"] == "queued"
    assert ask(551)["status"] == "queued", "without a person, as by a server of the app's"
    counts = {row.person: row.requests for row in rows(engine, "SELECT * FROM request_counts")}
    assert counts == {"": 3, "ann": 1, "bob": 1}


def test_the_caps_hold_for_calls_side_by_side(ask: Ask, engine: Engine) -> None:
    limit(engine, per_day=5)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, [*range(1, 13), *range(1, 13)]))

    queued = {answer["work_id"] for answer in answers if answer["status"] == "queued"}
    assert len(queued) == value(engine, "SELECT count(*) FROM works") == 5
    assert value(engine, "SELECT count(*) FROM refresh_queue") == 5
    assert value(engine, "SELECT requests FROM request_counts") == 5


def test_the_defaults_are_there_to_be_read_after_the_first_request(ask: Ask, engine: Engine) -> None:
    ask(603)

    [caps] = rows(engine, "SELECT per_day, per_person, waiting FROM request_limits")
    assert tuple(caps) == (200, 20, 50)


def run_as(engine: Engine, role: str, sql: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL ROLE {role}"))
        connection.execute(text(sql))


def test_a_reader_can_do_nothing_but_ask(ask: Ask, engine: Engine, reader: str) -> None:
    ask(603)
    for sql in (
        "SELECT * FROM works",
        "UPDATE request_limits SET per_day = 100000",
        "DELETE FROM request_counts",
        "INSERT INTO refresh_queue (work_id) VALUES (1)",
        "SELECT remove_unknown_works('x', '{1}')",
    ):
        with pytest.raises(AccessDenied):
            run_as(engine, reader, sql)


def test_who_was_not_given_the_right_is_refused(engine: Engine) -> None:
    role = f"stranger_{engine.url.database}"
    execute(engine, f"CREATE ROLE {role}")
    with pytest.raises(AccessDenied, match="permission denied for function request_movie"):
        run_as(engine, role, "SELECT request_movie(603)")
    execute(engine, f"DROP ROLE {role}")


def test_a_requested_movie_that_was_refused_can_be_added_by_a_person(
    ask: Ask, engine: Engine, start_run: Start
) -> None:
    execute(engine, "INSERT INTO refused_requests VALUES ('603', 'for a test', now())")
    assert ask(603)["reason"] == "for a test"

    ingest_movie(start_run(), 603)

    assert ask(603)["status"] == "complete"


def test_a_row_that_went_while_its_entry_was_taken_is_not_made_again(
    engine: Engine, start_run: Start, sandbox: SandboxServer
) -> None:
    found: list[MovieOutcome] = []

    enrich(start_run(), [Target(603, "Removed meanwhile", added_by=None)], found.extend)

    assert [outcome.status for outcome in found] == ["excluded"]
    assert rows(engine, "SELECT FROM works") == []
    assert sandbox.stats.calls == 0
