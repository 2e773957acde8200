"""Memory does not grow with the number of movies: only so many are claimed, fetched and kept at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Connection, Engine

from tmdb_dagster.pipeline import enrich
from tmdb_dagster.pipeline.outcome import MovieOutcome, Status
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.warehouse.claims import Target
from tmdb_dagster_tests.pipeline.enriching import ignore, some_movies
from tmdb_dagster_tests.warehouse.database import value

CLAIMED = "SELECT count(*) FROM works WHERE claimed_by IS NOT NULL"


def test_a_thousand_movies_are_claimed_chunk_by_chunk(
    start_run: Callable[..., Run], engine: Engine, sandbox: SandboxServer
) -> None:
    # Most are gone, which costs the test less time than a movie does.
    sandbox.faults.add(Fault("/movie/[0-9]+", "status", 404, probability=0.9))
    taken = written = 0
    most_ahead = most_claimed = 0

    def named() -> Iterator[Target]:
        nonlocal taken
        for tmdb_id in some_movies(sandbox, 1000):
            taken += 1
            yield Target(tmdb_id, "x")

    def record(connection: Connection, outcomes: list[MovieOutcome]) -> list[MovieOutcome]:
        nonlocal most_ahead, most_claimed
        most_claimed = max(most_claimed, connection.exec_driver_sql(CLAIMED).scalar_one() + len(outcomes))
        most_ahead = max(most_ahead, taken - written)
        return outcomes

    def settled(outcomes: list[MovieOutcome]) -> None:
        nonlocal written
        written += len(outcomes)
        assert {outcome.status for outcome in outcomes} <= {Status.INGESTED, Status.GONE}

    run = start_run()
    enrich.enrich(run, named(), settled, record=record)

    assert (taken, written) == (1000, 1000)
    assert enrich.CHUNK < most_claimed <= 4 * enrich.CHUNK
    assert most_ahead <= 4 * enrich.CHUNK
    assert sandbox.stats.calls == 1000
    assert run.response_times == {}, "nothing is kept of a movie that is done"
    assert value(engine, CLAIMED) == 0


def test_fetching_goes_on_while_a_chunk_is_being_written(start_run: Callable[..., Run], sandbox: SandboxServer) -> None:
    """The next chunk is claimed before the last movie of this one is there."""
    claimed_at_first_write = 0

    def record(connection: Connection, outcomes: list[MovieOutcome]) -> list[MovieOutcome]:
        nonlocal claimed_at_first_write
        claimed = connection.exec_driver_sql(CLAIMED).scalar_one() + len(outcomes)
        claimed_at_first_write = claimed_at_first_write or claimed
        return outcomes

    targets = [Target(tmdb_id, "x") for tmdb_id in some_movies(sandbox, 3 * enrich.CHUNK)]
    enrich.enrich(start_run(), targets, ignore, record=record)

    assert claimed_at_first_write > enrich.CHUNK


def test_a_movies_calls_are_logged_before_it_is_written(start_run: Callable[..., Run], sandbox: SandboxServer) -> None:
    """Whoever dies after the write has lost no line."""
    logged: set[int] = set()
    written: set[int] = set()

    def record(connection: Connection, outcomes: list[MovieOutcome]) -> list[MovieOutcome]:
        logged.update(map(int, connection.exec_driver_sql("SELECT tmdb_id FROM tmdb_api_logs").scalars()))
        written.update(outcome.tmdb_id for outcome in outcomes)
        assert written <= logged
        return outcomes

    enrich.enrich(start_run(), [Target(tmdb_id, "x") for tmdb_id in some_movies(sandbox, 30)], ignore, record=record)

    assert len(written) == 30
