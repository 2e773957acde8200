"""What a failure costs: the movie, or the run, and never what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from tmdb_dagster.pipeline import enrich
from tmdb_dagster.pipeline.errors import MostMoviesFailed, MovieFailed
from tmdb_dagster.pipeline.ingest import ingest_movie
from tmdb_dagster.pipeline.run import Run, open_run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import Settings
from tmdb_dagster.tmdb.errors import AuthenticationFailed
from tmdb_dagster.warehouse import transaction
from tmdb_dagster.warehouse.errors import DatabaseUnavailable
from tmdb_dagster_tests.pipeline.conftest import ATTEMPTS
from tmdb_dagster_tests.pipeline.enriching import enriched, some_movies
from tmdb_dagster_tests.warehouse.database import DERIVED, add_work, contents, execute, rows, until, value

Start = Callable[..., Run]


def age(engine: Engine) -> None:
    execute(engine, "UPDATE works SET last_refreshed_at = now() - interval '40 days'")


@pytest.mark.parametrize("status", [404, 500, 400])
def test_a_failed_refresh_keeps_the_old_data_and_its_time(
    start_run: Start, engine: Engine, sandbox: SandboxServer, status: int
) -> None:
    run = start_run()
    ingest_movie(run, 603)
    age(engine)
    kept = contents(engine, *DERIVED, "movie_responses")
    refreshed = value(engine, "SELECT last_refreshed_at FROM works")
    sandbox.faults.add(Fault("/movie/603", "status", status))

    with pytest.raises(MovieFailed, match=f"Movie 603 could not be ingested: .*{status}"):
        ingest_movie(run, 603)

    [work] = rows(engine, "SELECT * FROM works")
    assert (work.ingestion_status, work.last_refreshed_at) == ("failed", refreshed)
    assert str(status) in work.ingestion_error
    assert (work.claimed_by, work.status_before_claim) == (None, None)
    assert (work.gone_at is not None) == (status == 404)
    assert contents(engine, *DERIVED, "movie_responses") == kept


def test_a_new_movie_that_fails_has_never_been_refreshed(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    sandbox.faults.add(Fault("/movie/603", "status", 400))
    with pytest.raises(MovieFailed):
        ingest_movie(start_run(), 603)

    [work] = rows(engine, "SELECT * FROM works")
    assert (work.ingestion_status, work.last_refreshed_at) == ("failed", None)


def test_an_id_that_tmdb_does_not_know_leaves_no_row(start_run: Start, engine: Engine) -> None:
    """A mistyped one, say."""
    with pytest.raises(MovieFailed, match=r"Movie 604 could not be ingested: .*404.* Its row was removed"):
        ingest_movie(start_run(), 604)

    assert rows(engine, "SELECT * FROM works") == []
    assert (
        value(engine, "SELECT reason FROM refused_requests WHERE tmdb_id = '604'") == "TMDB does not know this movie."
    )


@pytest.mark.parametrize(
    "known",
    [
        "SELECT",
        "INSERT INTO works_meta (work_id) SELECT work_id FROM works",
        "UPDATE works SET added_by = 'operator', last_refreshed_at = '2020-01-01'",
    ],
)
def test_a_row_that_was_there_before_stays_where_tmdb_does_not_know_it(
    start_run: Start, engine: Engine, known: str
) -> None:
    add_work(engine, 604, ingestion_status="pending", added_by=None if known == "SELECT" else "request")
    execute(engine, known)

    with pytest.raises(MovieFailed, match="Movie 604"):
        ingest_movie(start_run(), 604)

    [work] = rows(engine, "SELECT * FROM works")
    assert (work.ingestion_status, work.gone_at is not None) == ("failed", True)


def test_a_404_that_is_not_tmdbs_does_not_declare_the_movie_gone(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    sandbox.faults.add(Fault("/movie/603", "html", 404))

    with pytest.raises(MovieFailed):
        ingest_movie(start_run(), 603)

    assert value(engine, "SELECT gone_at FROM works") is None


def test_a_movie_that_comes_back_is_no_longer_gone(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    run = start_run()
    sandbox.faults.add(Fault("/movie/603", "status", 404, times=1))
    with pytest.raises(MovieFailed):
        ingest_movie(run, 603)

    assert ingest_movie(run, 603).status == "ingested"

    [work] = rows(engine, "SELECT * FROM works")
    assert (work.gone_at, work.ingestion_error, work.ingestion_status) == (None, None, "complete")


def test_neighbours_of_a_failure_complete(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    ids = some_movies(sandbox, 12)
    sandbox.faults.add(Fault(f"/movie/({ids[3]}|{ids[7]})", "status", 500))
    sandbox.faults.add(Fault(f"/movie/{ids[5]}", "drop"))
    sandbox.faults.add(Fault(f"/movie/{ids[9]}", "truncate"))

    outcomes = enriched(start_run(), ids)

    failed = {ids[3], ids[5], ids[7], ids[9]}
    assert {tmdb_id for tmdb_id, outcome in outcomes.items() if outcome.status == "failed"} == failed
    assert {outcome.status for tmdb_id, outcome in outcomes.items() if tmdb_id not in failed} == {"ingested"}
    assert all(outcomes[tmdb_id].unavailable and outcomes[tmdb_id].calls == ATTEMPTS for tmdb_id in failed)
    assert sandbox.stats.faults_fired == 4 * ATTEMPTS
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'complete'") == 8


def test_a_run_that_lost_more_movies_than_it_got_fails_and_keeps_those(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    ids = some_movies(sandbox, 10)
    sandbox.faults.add(Fault(f"/movie/({'|'.join(map(str, ids[::2]))})", "status", 500))
    assert len(enriched(start_run(), ids)) == 10, "half of them is not more than half"
    sandbox.faults.clear()
    more = some_movies(sandbox, 21)[10:]
    sandbox.faults.add(Fault(f"/movie/({'|'.join(map(str, more[::2]))})", "status", 500))

    with pytest.raises(MostMoviesFailed, match=r"^6 of the 11 movies that TMDB was asked for failed"):
        enriched(start_run("second"), more)

    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'complete'") == 10
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'ingesting'") == 0


def test_a_failure_that_passes_is_tried_again(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    sandbox.faults.add(Fault("/movie/603", "status", 503, times=1))
    sandbox.faults.add(Fault("/movie/603", "status", 429, headers={"Retry-After": "0"}, times=1))

    with_log = start_run()
    outcome = ingest_movie(with_log, 603)

    assert (outcome.status, outcome.calls) == ("ingested", 3)
    calls = with_log.api_log.calls.total
    assert (calls.calls, calls.retries, calls.rate_limited) == (3, 2, 1)


def test_bad_credentials_end_the_run_and_no_movie_fails(
    settings: Settings, engine: Engine, sandbox: SandboxServer
) -> None:
    known = add_work(engine, 603, ingestion_status="failed", ingestion_error="earlier")
    refused = settings.model_copy(update={"tmdb_api_key": SecretStr("bad-key")})

    def ingest() -> None:
        with open_run(refused, run_id="run-1", job="test", origin="tmdb") as run:
            enriched(run, [603, *some_movies(sandbox, 200)])

    with pytest.raises(AuthenticationFailed, match="TMDB_API_KEY") as caught:
        ingest()

    assert "bad-key" not in str(caught.value)
    [work] = rows(engine, "SELECT * FROM works")
    assert (work.work_id, work.ingestion_status, work.ingestion_error) == (known, "failed", "earlier")
    assert (work.claimed_by, rows(engine, "SELECT 1 FROM run_leases")) == (None, [])
    assert sandbox.stats.calls <= 2 * enrich.CHUNK, "the rest was not asked for"
    assert value(engine, "SELECT count(*) FROM tmdb_api_logs WHERE http_status = 401") == sandbox.stats.calls


def test_a_movie_that_the_database_refuses_falls_alone(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    ids = some_movies(sandbox, 6)
    execute(engine, "ALTER TABLE works_meta ADD CONSTRAINT no_such_runtime CHECK (runtime_minutes <> 77)")
    for tmdb_id in ids:
        runtime = 77 if tmdb_id == ids[2] else 90
        sandbox.faults.add(Fault(f"/movie/{tmdb_id}", "patch", body={"runtime": runtime}))

    outcomes = enriched(start_run(), ids)

    assert {tmdb_id for tmdb_id, outcome in outcomes.items() if outcome.status != "ingested"} == {ids[2]}
    assert "no_such_runtime" in str(outcomes[ids[2]].message)
    [work] = rows(engine, "SELECT * FROM works WHERE ingestion_status <> 'complete'")
    assert (work.tmdb_id, work.ingestion_status) == (str(ids[2]), "failed")


def test_a_run_that_is_overtaken_does_not_write(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    run = start_run()
    sandbox.faults.add(Fault("/movie/603", "delay", delay_s=0.3))
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(enriched, run, [603])
        until(lambda: sandbox.stats.calls == 1, "the call")
        execute(engine, "UPDATE works SET claimed_by = 'other'")
        outcome = late.result()[603]

    assert (outcome.status, outcome.message) == ("busy", "Another run took the movie over")
    assert rows(engine, "SELECT 1 FROM works_meta") == []
    assert value(engine, "SELECT claimed_by FROM works") == "other"


@pytest.fixture
def shut(catalogue_url: str, database_address: Callable[[str], str]) -> Iterator[Callable[[bool], None]]:
    """Shuts the test's database, and opens it again: what a restart of the server looks like from outside."""
    name = make_url(catalogue_url).database
    admin = create_engine(database_address("postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT")

    def shut(closed: bool) -> None:
        execute(admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS {not closed}")
        if closed:
            execute(admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name", name=name)

    yield shut
    shut(False)


def test_a_database_that_restarts_during_the_run_costs_nothing(
    start_run: Start, engine: Engine, sandbox: SandboxServer, shut: Callable[[bool], None]
) -> None:
    run = start_run(tmdb_concurrency=2)
    ids = some_movies(sandbox, 60)
    sandbox.faults.add(Fault(f"/movie/{ids[0]}", "delay", delay_s=0.2))
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(enriched, run, ids)
        until(lambda: sandbox.stats.calls > 0, "the first call")
        shut(True)
        until(lambda: sandbox.stats.calls >= enrich.CHUNK, "what is claimed to be fetched")
        shut(False)

        assert {outcome.status for outcome in under_way.result().values()} == {"ingested"}
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'complete'") == 60


def test_a_database_that_stays_away_is_one_clear_error(
    settings: Settings, sandbox: SandboxServer, shut: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "PATIENCE_S", 0.1)

    def ingest() -> None:
        with open_run(settings, run_id="run-1", job="test", origin="tmdb") as run:
            shut(True)
            enriched(run, [603])

    with pytest.raises(DatabaseUnavailable, match="not currently accepting connections"):
        ingest()
    shut(False)
    assert sandbox.stats.calls == 0


def test_the_key_is_stored_nowhere(settings: Settings, engine: Engine, sandbox: SandboxServer) -> None:
    key = "s3cr3t-key-of-mine"
    quoting = {"status_code": 7, "status_message": f"api_key={key}"}
    sandbox.faults.add(Fault("/movie/550", "status", 401, body=quoting))
    sandbox.faults.add(Fault("/movie/604", "status", 400, body=quoting))

    def ingest(*ids: int) -> None:
        changed = settings.model_copy(update={"tmdb_api_key": SecretStr(key)})
        with open_run(changed, run_id="run-1", job="test", origin="tmdb") as run:
            enriched(run, ids)

    ingest(603, 604)
    with pytest.raises(AuthenticationFailed) as caught:
        ingest(550)

    assert key not in str(caught.value)
    tables = [row[0] for row in rows(engine, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    assert "tmdb_api_logs" in tables
    for table in tables:
        found = f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%s3cr3t%'"
        assert value(engine, found) == 0, table
