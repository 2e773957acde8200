from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tmdb_dagster.warehouse.claims import (
    Claim,
    Failure,
    Target,
    claim,
    give_back_claims,
    give_back_dead_claims,
    mark_failed,
    work_states,
)
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster_tests.warehouse.database import (
    add_work,
    execute,
    rows,
    take_lease,
    until,
    value,
    waits_for_a_lock,
)

STATES = "SELECT tmdb_id, ingestion_status, claimed_by, status_before_claim FROM works ORDER BY work_id"
FRESH = {"ingestion_status": "complete", "last_refreshed_at": "now"}


def targets(*tmdb_ids: int) -> list[Target]:
    return [Target(tmdb_id, f"Listed {tmdb_id}") for tmdb_id in tmdb_ids]


def claimed(engine: Engine, run_id: str, *tmdb_ids: int, force: bool = False) -> list[Claim]:
    with engine.begin() as connection:
        return claim(connection, run_id, targets(*tmdb_ids), force=force)


def ids(claims: list[Claim]) -> set[int]:
    return {one.tmdb_id for one in claims}


def give_back(engine: Engine, run_id: str) -> None:
    with engine.begin() as connection:
        give_back_claims(connection, run_id)


def states(engine: Engine) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in rows(engine, STATES)]


def make_fresh(engine: Engine) -> None:
    """Give every work the row that a current schema version needs."""
    execute(
        engine, "INSERT INTO works_meta (work_id, schema_version) SELECT work_id, current_schema_version() FROM works"
    )


def test_eight_threads_claim_each_movie_exactly_once(catalogue_url: str) -> None:
    engine = connect(catalogue_url, connections=10)
    add_work(engine, 1, ingestion_status="failed")
    add_work(engine, 100, ingestion_status="complete")
    for number in range(8):
        take_lease(engine, f"run-{number}")
    barrier = Barrier(8)

    def work(number: int) -> list[int]:
        mine: list[int] = []
        barrier.wait()
        for start in range(1, 101, 20):
            mine += ids(claimed(engine, f"run-{number}", *range(start, start + 20)))
        return mine

    with ThreadPoolExecutor(8) as pool:
        taken = Counter(tmdb_id for mine in pool.map(work, range(8)) for tmdb_id in mine)

    assert taken == Counter(range(1, 101))
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'ingesting'") == 100
    engine.dispose()


def test_an_unknown_movie_gets_a_row_with_its_listed_title(engine: Engine) -> None:
    take_lease(engine, "run-1")

    [one] = claimed(engine, "run-1", 603)

    assert (one.title, one.year, one.content_hash, one.schema_version) == ("Listed 603", None, None, None)
    assert states(engine) == [("603", "ingesting", "run-1", None)]


def test_a_live_claim_is_respected_even_with_force(engine: Engine) -> None:
    take_lease(engine, "alive")
    take_lease(engine, "run-1")
    claimed(engine, "alive", 603)

    assert claimed(engine, "run-1", 603, force=True) == []
    assert states(engine) == [("603", "ingesting", "alive", None)]


@pytest.mark.parametrize("lease", ["expired", "given back"])
def test_a_dead_runs_claim_is_taken_over(engine: Engine, lease: str) -> None:
    add_work(engine, 550, ingestion_status="failed")
    take_lease(engine, "dead", seconds=60)
    claimed(engine, "dead", 550, 603)
    if lease == "expired":
        take_lease(engine, "dead", seconds=-0.001)
    else:
        execute(engine, "DELETE FROM run_leases")
    take_lease(engine, "run-1")

    assert ids(claimed(engine, "run-1", 550, 603)) == {550, 603}

    give_back(engine, "dead")
    assert states(engine) == [("550", "ingesting", "run-1", "failed"), ("603", "ingesting", "run-1", None)]
    give_back(engine, "run-1")
    assert states(engine) == [("550", "failed", None, None)]


def test_an_ingesting_row_without_an_owner_is_taken(engine: Engine) -> None:
    """As the system before this one left them behind when it crashed."""
    add_work(engine, 603, ingestion_status="ingesting")
    take_lease(engine, "run-1")

    assert ids(claimed(engine, "run-1", 603)) == {603}
    assert states(engine) == [("603", "ingesting", "run-1", "pending")]


def test_giving_back_restores_the_status(engine: Engine) -> None:
    statuses = {
        "pending": "pending",
        "failed": "failed",
        "complete": "complete",
        None: "pending",
        "ingesting": "pending",
    }
    for tmdb_id, before in enumerate(statuses, start=1):
        add_work(engine, tmdb_id, ingestion_status=before, ingestion_error="old", title="Known")
    take_lease(engine, "run-1")
    take_lease(engine, "other")
    claimed(engine, "run-1", 1, 2, 3, 4, 5, 6, force=True)
    claimed(engine, "other", 7)

    give_back(engine, "run-1")

    assert states(engine) == [
        *((str(tmdb_id), after, None, None) for tmdb_id, after in enumerate(statuses.values(), start=1)),
        ("7", "ingesting", "other", None),
    ]
    kept = "SELECT count(*) FROM works WHERE title = 'Known' AND ingestion_error = 'old'"
    assert value(engine, kept) == len(statuses)


def test_only_what_is_due_is_claimed(engine: Engine) -> None:
    for tmdb_id, status in enumerate(("pending", "failed", None, "complete"), start=1):
        add_work(engine, tmdb_id, ingestion_status=status, last_refreshed_at="now")
    make_fresh(engine)
    take_lease(engine, "run-1")

    assert ids(claimed(engine, "run-1", 1, 2, 3, 4)) == {1, 2, 3}
    give_back(engine, "run-1")
    assert ids(claimed(engine, "run-1", 4, force=True)) == {4}
    give_back(engine, "run-1")
    execute(engine, "UPDATE works SET last_refreshed_at = now() - interval '31 days'")
    assert ids(claimed(engine, "run-1", 4)) == {4}


def test_a_claim_knows_what_is_stored(engine: Engine) -> None:
    work_id = add_work(engine, 603, title="Known", year=1999, ingestion_status="complete")
    make_fresh(engine)
    execute(
        engine,
        "INSERT INTO movie_responses VALUES (:id, '', 0, 'hash', now())",
        id=work_id,
    )
    execute(
        engine,
        """INSERT INTO work_cards_cache (work_id, payload, payload_short, etag)
        VALUES (:id, '{}', '{"poster": "poster"}', 'etag')""",
        id=work_id,
    )
    take_lease(engine, "run-1")

    version = value(engine, "SELECT current_schema_version()")
    assert claimed(engine, "run-1", 603) == [
        Claim(
            work_id,
            603,
            "Known",
            1999,
            "etag",
            "poster",
            "hash",
            version,
            rehosted=False,
            was_complete=True,
            refusable=False,
        )
    ]


def test_a_failure_ends_the_claim_and_keeps_what_is_known(engine: Engine) -> None:
    refreshed = "2026-01-01T00:00:00+00:00"
    known = add_work(engine, 1, title="Known", ingestion_status="complete", last_refreshed_at=refreshed)
    take_lease(engine, "run-1")
    [new] = [one.work_id for one in claimed(engine, "run-1", 1, 2, force=True) if one.tmdb_id == 2]

    with engine.begin() as connection:
        mark_failed(connection, "run-1", [Failure(known, "500", gone=False), Failure(new, "no NUL \0", gone=True)])

    found = rows(
        engine,
        "SELECT title, ingestion_status, ingestion_error, claimed_by, gone_at IS NOT NULL, last_refreshed_at::text "
        "FROM works ORDER BY work_id",
    )
    assert tuple(found[0])[:5] == ("Known", "failed", "500", None, False)
    assert value(engine, "SELECT last_refreshed_at FROM works WHERE tmdb_id = '1'").isoformat() == refreshed
    assert tuple(found[1]) == ("Listed 2", "failed", "no NUL ", None, True, None)


def test_a_run_cannot_fail_a_movie_that_another_has_taken_over(engine: Engine) -> None:
    take_lease(engine, "dead", seconds=-1)
    [one] = claimed(engine, "dead", 603)
    take_lease(engine, "run-1")
    claimed(engine, "run-1", 603)

    with engine.begin() as connection:
        mark_failed(connection, "dead", [Failure(one.work_id, "late", gone=False)])

    assert states(engine) == [("603", "ingesting", "run-1", None)]


def test_states_say_who_is_at_work(engine: Engine) -> None:
    take_lease(engine, "alive")
    take_lease(engine, "dead", seconds=-1)
    claimed(engine, "alive", 1)
    claimed(engine, "dead", 2)
    add_work(engine, 3, ingestion_status="complete")

    with engine.begin() as connection:
        found = work_states(connection, [1, 2, 3, 4])

    assert {tmdb_id: (state.busy, state.status, state.claimed_by) for tmdb_id, state in found.items()} == {
        1: (True, "ingesting", "alive"),
        2: (False, "ingesting", "dead"),
        3: (False, "complete", None),
    }


def test_the_claims_of_dead_runs_can_be_given_back_for_them(engine: Engine) -> None:
    add_work(engine, 1, ingestion_status="failed")
    add_work(engine, 2, ingestion_status="ingesting")
    take_lease(engine, "alive")
    take_lease(engine, "dead", seconds=-1)
    claimed(engine, "dead", 1, 3)
    claimed(engine, "forgotten", 4)
    claimed(engine, "alive", 5)

    with engine.begin() as connection:
        give_back_dead_claims(connection)

    assert states(engine) == [
        ("1", "failed", None, None),
        ("2", "pending", None, None),
        ("5", "ingesting", "alive", None),
    ]


def test_claiming_beside_a_writer_cannot_deadlock(engine: Engine) -> None:
    """A claim takes its rows in the order in which writers lock theirs: by work_id, not by TMDB id as text."""
    first, second = add_work(engine, 9), add_work(engine, 10)
    take_lease(engine, "run-1")
    lock = text("SELECT FROM works WHERE work_id = :work_id FOR UPDATE")
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as writer:
            writer.execute(lock, {"work_id": first})
            claiming = pool.submit(claimed, engine, "run-1", 9, 10, 11)
            until(lambda: waits_for_a_lock(engine), "the claim to wait for the writer")
            writer.execute(lock, {"work_id": second})

        assert ids(claiming.result()) == {9, 10, 11}


def test_a_claim_that_waits_for_a_writer_sees_what_it_wrote(engine: Engine) -> None:
    """Else a movie that another run completes at this moment would be asked for again."""
    work_id = add_work(engine, 603, ingestion_status="ingesting", claimed_by="other")
    take_lease(engine, "other")
    take_lease(engine, "run-1")
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as writer:
            completed = "UPDATE works SET ingestion_status = 'complete', claimed_by = NULL, last_refreshed_at = now()"
            writer.execute(text(completed))
            writer.execute(
                text("INSERT INTO works_meta (work_id, schema_version) VALUES (:id, current_schema_version())"),
                {"id": work_id},
            )
            claiming = pool.submit(claimed, engine, "run-1", 603)
            until(lambda: waits_for_a_lock(engine), "the claim to wait for the writer")

        assert claiming.result() == []


def test_a_failed_works_delay_doubles_up_to_a_month(engine: Engine) -> None:
    work_id = add_work(engine, 603, ingestion_status="complete")
    hours = []
    for failures in range(12):
        (one,) = claimed(engine, "run-1", 603, force=True)
        with engine.begin() as connection:
            mark_failed(connection, "run-1", [Failure(one.work_id, "no answer", gone=False)])
        assert value(engine, "SELECT failures FROM works") == failures + 1
        hours.append(round(value(engine, "SELECT extract(epoch FROM retry_at - clock_timestamp()) / 3600 FROM works")))

    assert hours == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 720, 720]
    assert one.work_id == work_id


def test_a_work_that_failed_for_years_still_waits_a_month(engine: Engine) -> None:
    add_work(engine, 603, ingestion_status="complete", failures=2_000)
    (one,) = claimed(engine, "run-1", 603, force=True)
    with engine.begin() as connection:
        mark_failed(connection, "run-1", [Failure(one.work_id, "no answer", gone=False)])
    assert value(engine, "SELECT round(extract(epoch FROM retry_at - clock_timestamp()) / 86400) FROM works") == 30
