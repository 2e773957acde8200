"""What becomes of a movie that TMDB knows no more: it is forgotten in time, and nothing is red for ever."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from tmdb_dagster.cli.main import main
from tmdb_dagster.pipeline.errors import MovieFailed
from tmdb_dagster.pipeline.ingest import ingest_movie
from tmdb_dagster.pipeline.repair import repair_images
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.services.image_store import open_store
from tmdb_dagster.settings import load_settings
from tmdb_dagster.warehouse.retention import forget_gone_works
from tmdb_dagster_tests.warehouse.database import execute, rows, value

CONTENT = (
    "works_meta",
    "work_cards_cache",
    "movie_responses",
    "aggregates",
    "rating_sources",
    "similar_movies",
    "work_images",
)


@pytest.fixture
def run(
    settings_environment: dict[str, str],
    image_server: str,
    image_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    start_run: Callable[..., Run],
) -> Run:
    """A run with a store for the images."""
    monkeypatch.setenv("MOVIE_IMAGES_STORE", "local")
    monkeypatch.setenv("MOVIE_IMAGES_FOLDER", str(image_folder))
    monkeypatch.setenv("MOVIE_IMAGES_PUBLIC_URL", image_server)
    found = load_settings()
    images = {name: getattr(found, name) for name in type(found).model_fields if name.startswith("movie_images")}
    return start_run(**images)


def files() -> set[str]:
    store = open_store(load_settings())
    assert store is not None
    return {key for page in store.pages() for key in page}


def problems(engine: Engine) -> set[str]:
    return {row.name for row in rows(engine, "SELECT name FROM v_problems")} & {
        "no_shown_work_gone",
        "refreshed_within_six_months",
    }


def gone_for(engine: Engine, days: int, *, refreshed: str, looks: int) -> None:
    execute(
        engine,
        "UPDATE works SET gone_at = now() - make_interval(days => :days), failures = :looks, "
        "last_refreshed_at = now() - CAST(:refreshed AS interval) WHERE tmdb_id = '603'",
        days=days,
        looks=looks,
        refreshed=refreshed,
    )


@pytest.mark.parametrize(("refreshed", "looks"), [("5 months 1 day", 3), ("7 months", 1)])
def test_what_tmdb_said_of_a_gone_movie_is_forgotten_and_a_tombstone_stays(
    run: Run, engine: Engine, sandbox: SandboxServer, refreshed: str, looks: int
) -> None:
    ingest_movie(run, 603)
    ingest_movie(run, 550)
    title = value(engine, "SELECT title FROM works WHERE tmdb_id = '603'")
    sandbox.faults.add(Fault("/movie/603", "status", 404))
    with pytest.raises(MovieFailed):
        ingest_movie(run, 603, force_refresh=True)
    execute(engine, "INSERT INTO rating_sources (work_id, source_name) SELECT work_id, 'other' FROM works")
    gone_for(engine, 140, refreshed=refreshed, looks=looks)
    assert "no_shown_work_gone" in problems(engine)

    assert forget_gone_works(engine) == 1
    assert forget_gone_works(engine) == 0

    [work] = rows(engine, "SELECT * FROM works WHERE tmdb_id = '603'")
    assert (work.title, work.gone_at is not None, work.last_refreshed_at, work.year) == (title, True, None, None)
    left = {
        name: value(engine, f"SELECT count(*) FROM {name} WHERE work_id = :id", id=work.work_id) for name in CONTENT
    }
    assert {name: count for name, count in left.items() if count} == {"rating_sources": 1}, "another source's"
    assert problems(engine) == set()
    assert value(engine, "SELECT request_movie(603)")["status"] == "refused"
    with pytest.raises(MovieFailed):
        ingest_movie(run, 603)
    assert value(engine, "SELECT count(*) FROM works") == 2, "the tombstone stays where TMDB is asked again"
    assert value(engine, "SELECT count(*) FROM work_cards_cache") == 1

    sandbox.reset()
    assert ingest_movie(run, 603).status == "ingested", "it may come back"
    assert value(engine, "SELECT gone_at FROM works WHERE tmdb_id = '603'") is None


def test_its_files_are_removed_by_the_repair_that_verifies(run: Run, engine: Engine, sandbox: SandboxServer) -> None:
    ingest_movie(run, 603)
    ingest_movie(run, 550)
    gone_for(engine, 140, refreshed="5 months 1 day", looks=3)
    execute(engine, "UPDATE works SET ingestion_status = 'failed' WHERE tmdb_id = '603'")
    before = files()
    forget_gone_works(engine)

    assert repair_images(run, lambda _: None, everything=False, verify=True).orphans == 0, "not within a day"
    execute(engine, "UPDATE image_inventory SET checked_at = now() - interval '2 days'")
    assert repair_images(run, lambda _: None, everything=False, verify=False).orphans == 0
    report = repair_images(run, lambda _: None, everything=False, verify=True)

    shown = {row.key for row in rows(engine, "SELECT key FROM work_images")}
    assert files() == shown == {row.key for row in rows(engine, "SELECT key FROM image_inventory")}
    assert report.orphans == len(before - shown) > 0
    done = CliRunner().invoke(main, ["check"])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("days", "refreshed", "looks"), [(29, "6 months", 5), (40, "4 months", 5), (140, "5 months 1 day", 2)]
)
def test_what_may_come_back_is_kept(run: Run, engine: Engine, days: int, refreshed: str, looks: int) -> None:
    ingest_movie(run, 603)
    gone_for(engine, days, refreshed=refreshed, looks=looks)

    assert forget_gone_works(engine) == 0
    assert value(engine, "SELECT count(*) FROM work_cards_cache") == 1
