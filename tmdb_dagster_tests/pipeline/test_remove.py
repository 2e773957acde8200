"""Movies that a person removes, keeps out, and lets in again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from tmdb_dagster.cli.main import main
from tmdb_dagster.pipeline import remove
from tmdb_dagster.pipeline.errors import MovieBusy
from tmdb_dagster.pipeline.ingest import ingest_movie
from tmdb_dagster.pipeline.remove import remove_movies
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.services.image_store import open_store
from tmdb_dagster.settings import load_settings
from tmdb_dagster.warehouse.tables import metadata
from tmdb_dagster_tests.pipeline.enriching import enriched, some_movies
from tmdb_dagster_tests.warehouse.database import add_work, execute, rows, take_lease, until, value

Start = Callable[..., Run]


@pytest.fixture(autouse=True)
def _store(
    settings_environment: dict[str, str], image_server: str, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOVIE_IMAGES_STORE", "local")
    monkeypatch.setenv("MOVIE_IMAGES_FOLDER", str(image_folder))
    monkeypatch.setenv("MOVIE_IMAGES_PUBLIC_URL", image_server)


@pytest.fixture
def start(_store: None, start_run: Start) -> Start:
    """Opens runs with that store."""
    found = load_settings()
    changes = {name: getattr(found, name) for name in type(found).model_fields if name.startswith("movie_images")}
    return lambda run_id="run-1": start_run(run_id, **changes)


def command(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def files() -> set[str]:
    store = open_store(load_settings())
    assert store is not None
    return {key for page in store.pages() for key in page}


def left_of(engine: Engine, work_id: int) -> dict[str, int]:
    """Rows of a work, by table."""
    tables = [table.name for table in metadata.tables.values() if "work_id" in table.columns]
    counts = {
        name: value(engine, f"SELECT count(*) FROM {name} WHERE work_id = :work_id", work_id=work_id) for name in tables
    }
    return {name: count for name, count in counts.items() if count}


def test_a_removed_movie_leaves_no_row_and_no_file_and_takes_nothing_of_others(
    start: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    first, second = some_movies(sandbox, 2)
    enriched(start(), [first, second])
    [gone, stays] = [
        row.work_id for row in rows(engine, "SELECT work_id FROM works ORDER BY tmdb_id = :id DESC", id=str(first))
    ]
    shared = value(engine, "SELECT min(key) FROM work_images WHERE work_id = :id AND key LIKE 'cast/%'", id=gone)
    execute(
        engine, "INSERT INTO work_images (work_id, key) VALUES (:id, :key) ON CONFLICT DO NOTHING", id=stays, key=shared
    )
    theirs = {row.key for row in rows(engine, "SELECT key FROM work_images WHERE work_id = :id", id=stays)}

    refused = command("remove", str(first))
    assert refused.exit_code == 1
    assert "add --yes. Nothing was removed." in refused.output
    done = command("remove", str(first), "--yes")

    assert done.exit_code == 0, done.output
    assert f"{first} " in done.output
    assert "Removed 1 movie" in done.output
    assert left_of(engine, gone) == {}
    assert files() == theirs == {row.key for row in rows(engine, "SELECT key FROM image_inventory")}
    assert command("check").exit_code == 0

    again = command("remove", str(first), "--yes")
    assert (again.exit_code, f"The catalogue has no movie {first}; nothing was removed." in again.output) == (1, True)


def test_a_movie_that_a_run_ingests_is_removed_when_it_is_written(
    start: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    sandbox.faults.add(Fault("/movie/603", "delay", delay_s=1))
    with ThreadPoolExecutor(2) as pool:
        ingested = pool.submit(ingest_movie, start(), 603)
        until(lambda: value(engine, "SELECT ingestion_status FROM works") == "ingesting", "its claim")

        other = pool.submit(remove_movies, engine, load_settings(), [603], excluded_for="for good")
        removed = remove_movies(engine, load_settings(), [603], excluded_for="for good")

    assert ingested.result().status == "ingested"
    assert removed.movies + other.result().movies == 1, "two at once"
    assert rows(engine, "SELECT FROM works") == rows(engine, "SELECT FROM image_inventory") == []
    assert files() == set()
    assert value(engine, "SELECT request_movie(603)")["status"] == "refused"


def test_a_movie_that_stays_busy_is_not_removed(start: Start, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remove, "BUSY_WAIT_S", 0.1)
    take_lease(engine, "other")
    add_work(engine, 603, ingestion_status="ingesting", claimed_by="other")

    with pytest.raises(MovieBusy, match="Movie 603 is being ingested by run other"):
        remove_movies(engine, load_settings(), [603], excluded_for="any")

    assert value(engine, "SELECT count(*) FROM works") == 1


def test_who_does_not_own_the_tables_is_told_so(start: Start, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    add_work(engine, 603)
    role = f"reader_{engine.url.database}"
    execute(engine, f"CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    monkeypatch.setenv("DATABASE_URL", engine.url.set(username=role).render_as_string(hide_password=False))

    refused = command("remove", "603", "--yes")

    assert refused.exit_code == 1
    assert "Removing movies needs the rights of the tables' owner" in refused.output
    execute(engine, f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_movie_is_excluded_and_let_in_again(start: Start, engine: Engine, sandbox: SandboxServer) -> None:
    run = start()
    ingest_movie(run, 603)
    execute(engine, "INSERT INTO refresh_queue (work_id) SELECT work_id FROM works")

    done = command("exclude", "603", "604", "--reason", "for a test")

    assert done.output.splitlines() == [
        "Excluded 2 movies.",
        "In the catalogue still: 603; `tmdb-dagster remove` removes them.",
    ]
    assert [tuple(row) for row in rows(engine, "SELECT status, note FROM refresh_queue")] == [
        ("completed", "excluded by the owner")
    ]
    command("exclude", "603")
    assert value(engine, "SELECT reason FROM excluded_movies WHERE tmdb_id = '603'") == "for a test"
    refused = command("refresh", "603")
    assert "603 is excluded" in refused.output

    assert command("include", "603", "605").output.splitlines() == ["Let in 1 movie.", "Not excluded: 605."]
    assert ingest_movie(run, 603, force_refresh=True).status == "unchanged"
    for bad in ("0", "2147483648", "tt0133093"):
        assert command("exclude", bad).exit_code == 2
