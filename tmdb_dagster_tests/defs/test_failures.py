from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from dagster import DagsterInstance, DagsterInvalidConfigError
from sqlalchemy import Engine, text

from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.warehouse.engine import HEAD
from tmdb_dagster_tests.defs.conftest import Execute
from tmdb_dagster_tests.defs.events import failures, materializations, warnings_in
from tmdb_dagster_tests.warehouse.database import execute as execute_sql
from tmdb_dagster_tests.warehouse.database import until, value

LISTS = "/movie/popular|/movie/now_playing|/trending/.*"
MOVIES = "/movie/[0-9]+"


def _down(path: str) -> Fault:
    # Retry-After 0 makes the client's retries follow at once.
    return Fault(path, "status", status=503, headers={"Retry-After": "0"})


def _log(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.begin() as connection:
        rows = connection.execute(
            text("SELECT movies_ingested, movies_failed, error_message FROM scheduled_ingestion_log ORDER BY id")
        )
        return [tuple(row) for row in rows]


def _statuses(engine: Engine) -> dict[str, str]:
    with engine.begin() as connection:
        rows = connection.execute(text("SELECT tmdb_id, ingestion_status FROM works"))
        return {row.tmdb_id: row.ingestion_status for row in rows}


def _candidate(engine: Engine) -> str:
    with engine.begin() as connection:
        return str(connection.scalar(text("SELECT tmdb_id FROM list_snapshots WHERE rank = 2")))


def test_a_failed_movie_is_a_warning_and_not_a_failed_run(
    execute: Execute, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    execute("weekly_ingest", source="popular", max_movies=1, pages_per_source=1)
    unlucky = _candidate(engine)
    sandbox.faults.add(Fault(f"/movie/{unlucky}", "body", body="[]"))

    result = execute("weekly_ingest", source="popular", max_movies=5, pages_per_source=1)

    assert sandbox.stats.faults_fired == 1
    assert result.success
    (warning,) = warnings_in(instance, result.run_id)
    assert unlucky in warning
    assert {key for key, status in _statuses(engine).items() if status == "failed"} == {unlucky}
    assert _log(engine)[-1] == (4, 1, None)
    assert unlucky not in {one.partition for one in materializations(instance, "movies")}


def test_tmdb_down_is_one_clear_message_and_a_log_row(execute: Execute, engine: Engine, sandbox: SandboxServer) -> None:
    sandbox.faults.add(_down(LISTS))

    result = execute("weekly_ingest", max_movies=5, pages_per_source=1)

    (message,) = failures(result.all_events)
    assert sandbox.stats.faults_fired
    assert not result.success
    assert message is not None
    assert message.startswith("No page of any list could be fetched: /movie/popular: TMDB answered 503")
    assert _log(engine) == [(0, 0, message)]
    assert _statuses(engine) == {}


def test_tmdb_going_down_among_the_movies_ends_the_run(
    execute: Execute, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    sandbox.faults.add(_down(MOVIES))

    result = execute("weekly_ingest", source="popular", max_movies=20, pages_per_source=1)

    (message,) = failures(result.all_events)
    assert message is not None
    assert message.startswith("TMDB gave none of the last 10 movies")
    assert [error for _, _, error in _log(engine)] == [message]
    assert "ingesting" not in _statuses(engine).values()
    assert materializations(instance, "movies") == []


def test_what_is_under_way_ends_where_dagster_cannot_record_it(
    execute: Execute, instance: DagsterInstance, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: object) -> None:
        raise ConnectionError("Dagster's database is gone")

    monkeypatch.setattr(instance, "add_dynamic_partitions", unavailable)

    result = execute("weekly_ingest", source="popular", max_movies=20, pages_per_source=1)

    assert not result.success
    assert [error for _, _, error in _log(engine)] == ["Dagster's database is gone"]
    assert "ingesting" not in _statuses(engine).values(), "what was claimed is given back"


def test_a_bad_key_is_one_clear_message_and_fails_no_movie(
    execute: Execute, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMDB_API_KEY", "bad-key")

    result = execute("weekly_ingest", max_movies=5, pages_per_source=1)

    (message,) = failures(result.all_events)
    assert message is not None
    assert "Invalid API key" in message
    assert "TMDB_API_KEY" in message
    assert _statuses(engine) == {}
    assert _log(engine) == [(0, 0, message)]


def test_a_key_revoked_among_the_movies_fails_no_movie(
    execute: Execute, engine: Engine, sandbox: SandboxServer
) -> None:
    sandbox.faults.add(Fault(MOVIES, "status", status=401))

    result = execute("weekly_ingest", source="popular", max_movies=5, pages_per_source=1)

    (message,) = failures(result.all_events)
    assert message is not None
    assert "TMDB answered 401" in message
    assert _statuses(engine) == {}, "what was claimed is given back"
    assert _log(engine) == [(0, 0, message)]


def test_an_unknown_source_is_refused_with_the_ones_there_are(execute: Execute, sandbox: SandboxServer) -> None:
    with pytest.raises(DagsterInvalidConfigError) as refusal:
        execute("weekly_ingest", source="weekly")

    assert all(
        source in str(refusal.value)
        for source in ("popular", "now_playing", "trending", "all", "mixed_daily", "mixed_weekly")
    )
    assert sandbox.stats.calls == 0


@pytest.mark.parametrize(
    ("job", "config", "message"),
    [
        ("weekly_ingest", {"max_movies": 0}, "max_movies is 0, and must be 1 or more."),
        ("weekly_ingest", {"max_movies": -3}, "max_movies is -3, and must be 1 or more."),
        ("weekly_ingest", {"pages_per_source": 0}, "pages_per_source is 0, and must be 1 to 500."),
        ("weekly_ingest", {"pages_per_source": 501}, "pages_per_source is 501, and must be 1 to 500."),
        ("ingest_movie", {"tmdb_id": 0}, "tmdb_id is 0, and must be a TMDB movie id: 1 or more, such as 603."),
        ("batch_ingest", {"limit": 0}, "limit is 0, and must be 1 or more."),
        ("batch_ingest", {"offset": -1}, "offset is -1, and must be 0 or more."),
    ],
)
def test_what_is_not_allowed_is_refused_before_any_call(
    job: str, config: dict[str, Any], message: str, *, execute: Execute, engine: Engine, sandbox: SandboxServer
) -> None:
    result = execute(job, **config)

    assert failures(result.all_events) == [message]
    assert sandbox.stats.calls == 0
    assert _statuses(engine) == {}


@pytest.mark.parametrize("job", ["weekly_ingest", "batch_ingest", "rebuild_from_raw"])
def test_an_unreachable_database_is_one_clear_message_without_the_password(
    job: str, execute: Execute, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://movies:pass-word@127.0.0.1:1/catalogue")

    result = execute(job)

    (message,) = failures(result.all_events)
    assert message is not None
    assert message.startswith(
        "The database at postgresql+psycopg2://movies:***@127.0.0.1:1/catalogue cannot be reached"
    )
    assert "DATABASE_URL" in message
    assert "pass-word" not in message
    assert sandbox.stats.calls == 0


@pytest.mark.parametrize("job", ["ingest_movie", "rebuild_from_raw"])
def test_a_database_whose_readers_could_not_read_the_images_is_left_alone(
    job: str, execute: Execute, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MOVIE_IMAGES_STORE")

    (message,) = failures(execute(job, **({"tmdb_id": 603} if job == "ingest_movie" else {})).all_events)

    assert message is not None
    assert message.startswith("DATABASE_URL is set, and its movies would get image URLs that only this machine")
    assert sandbox.stats.calls == 0


def test_an_empty_database_says_how_to_migrate_it(
    execute: Execute, new_database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", new_database())

    (message,) = failures(execute("weekly_ingest").all_events)

    assert message is not None
    assert message.endswith("run `tmdb-dagster migrate`.")


def test_a_wrong_setting_is_one_clear_message(execute: Execute, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMDB_RATE_LIMIT", "fast")

    (message,) = failures(execute("ingest_movie", tmdb_id=603).all_events)

    assert message is not None
    assert "TMDB_RATE_LIMIT" in message


def test_a_job_on_a_database_that_is_yet_to_be_migrated_waits_for_it(execute: Execute, engine: Engine) -> None:
    def set_revision(revision: str) -> None:
        execute_sql(engine, "UPDATE catalogue_version SET version_num = :revision", revision=revision)

    def migrate_once_it_waits() -> None:
        until(lambda: value(engine, "SELECT count(*) FROM run_leases") == 1, "the run to wait with its lease")
        set_revision(HEAD)

    set_revision("0100")
    with ThreadPoolExecutor() as pool:
        migrated = pool.submit(migrate_once_it_waits)
        assert execute("retention").success
        migrated.result()
