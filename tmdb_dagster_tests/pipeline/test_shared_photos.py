"""A photo that movies share stays while one shows it, or is about to: however a removal and an ingest fall together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tmdb_dagster.pipeline import remove
from tmdb_dagster.pipeline.errors import MovieBusy
from tmdb_dagster.pipeline.ingest import ingest_movie
from tmdb_dagster.pipeline.outcome import MovieOutcome
from tmdb_dagster.pipeline.remove import remove_movies
from tmdb_dagster.pipeline.repair import repair_images
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.services.image_store import open_store
from tmdb_dagster.settings import load_settings
from tmdb_dagster.warehouse.images import images_of
from tmdb_dagster_tests.warehouse.database import add_work, execute, rows, take_lease, until, value, waits_for_a_lock

Start = Callable[..., Run]
WORK = "SELECT work_id FROM works WHERE tmdb_id = :tmdb_id"


@pytest.fixture
def start(
    settings_environment: dict[str, str],
    image_server: str,
    image_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    start_run: Start,
) -> Start:
    """Opens runs that rehost in a folder."""
    monkeypatch.setenv("MOVIE_IMAGES_STORE", "local")
    monkeypatch.setenv("MOVIE_IMAGES_FOLDER", str(image_folder))
    monkeypatch.setenv("MOVIE_IMAGES_PUBLIC_URL", image_server)
    found = load_settings()
    images = {name: getattr(found, name) for name in type(found).model_fields if name.startswith("movie_images")}
    return lambda run_id="run-1": start_run(run_id, **images)


def files() -> set[str]:
    store = open_store(load_settings())
    assert store is not None
    return {key for page in store.pages() for key in page}


def keys(engine: Engine, table: str) -> set[str]:
    return {row.key for row in rows(engine, f"SELECT key FROM {table}")}


@contextmanager
def about_to_be_written(
    run: Run, engine: Engine, sandbox: SandboxServer, tmdb_id: int
) -> Iterator[Future[MovieOutcome]]:
    """Within it, a movie has seen which of its images are stored; afterwards it is written."""
    sandbox.faults.add(Fault("/t/p/w780/.*", "delay", delay_s=1))
    with ThreadPoolExecutor(1) as pool, engine.connect() as other:
        ingested = pool.submit(ingest_movie, run, tmdb_id)
        under_way = "SELECT count(*) FROM image_inventory i JOIN works w USING (work_id) WHERE w.tmdb_id = :tmdb_id"
        until(lambda: value(engine, under_way, tmdb_id=str(tmdb_id)) > 0, "its images to be under way")
        # The write waits for this lock, and tries again.
        other.execute(text(f"{WORK} FOR NO KEY UPDATE"), {"tmdb_id": str(tmdb_id)})
        yield ingested
        assert not ingested.done()
        other.rollback()


def test_an_ingest_keeps_the_photos_that_it_has_found_stored(
    start: Start, engine: Engine, sandbox: SandboxServer, co_starring: tuple[int, int]
) -> None:
    first, second = co_starring
    ingest_movie(start(), first)

    with about_to_be_written(start("run-2"), engine, sandbox, second) as ingested:
        remove_movies(engine, load_settings(), [first])

    outcome = ingested.result()
    assert outcome.images is not None
    assert (outcome.status, outcome.images.missing) == ("ingested", 0)
    assert any(key.startswith("cast/") for key in files())
    assert files() == keys(engine, "work_images") == keys(engine, "image_inventory")


def test_a_repair_leaves_old_files_that_an_ingest_has_found(
    start: Start, engine: Engine, sandbox: SandboxServer, co_starring: tuple[int, int]
) -> None:
    first, second = co_starring
    repairing = start()
    ingest_movie(repairing, first)
    execute(engine, "DELETE FROM movie_responses; DELETE FROM work_images")
    execute(engine, "UPDATE image_inventory SET checked_at = now() - interval '2 days'")

    with about_to_be_written(start("run-2"), engine, sandbox, second) as ingested:
        report = repair_images(repairing, lambda _: None, everything=False, verify=True)

    assert report.orphans > 0
    assert ingested.result().status == "ingested"
    assert any(key.startswith("cast/") for key in files())
    assert files() == keys(engine, "work_images") == keys(engine, "image_inventory")


def test_a_removal_decides_when_it_has_the_lock(start: Start, engine: Engine) -> None:
    ingest_movie(start(), 603)
    other = add_work(engine, 604)
    photo = value(engine, "SELECT min(key) FROM work_images WHERE key LIKE 'cast/%'")
    with ThreadPoolExecutor(1) as pool, engine.connect() as writing:
        writing.execute(
            text("INSERT INTO work_images (work_id, key) VALUES (:other, :key)"), {"other": other, "key": photo}
        )
        removed = pool.submit(remove_movies, engine, load_settings(), [603])
        until(lambda: waits_for_a_lock(engine), "the removal")
        writing.commit()

    assert removed.result().movies == 1
    assert files() == keys(engine, "work_images") == keys(engine, "image_inventory") == {photo}


def test_an_image_that_a_run_fetches_is_not_removed_under_it(
    start: Start, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file would come after the removal."""
    ingest_movie(start(), 603)
    monkeypatch.setattr(remove, "BUSY_WAIT_S", 0.1)
    take_lease(engine, "other")
    execute(engine, "UPDATE image_inventory SET claimed_by = 'other' WHERE key LIKE 'posters/%'")
    before = files()

    with pytest.raises(MovieBusy, match="Movie 603 is being ingested by run other, or its images are fetched"):
        remove_movies(engine, load_settings(), [603])

    assert files() == before
    take_lease(engine, "other", seconds=-1)
    assert remove_movies(engine, load_settings(), [603]).files == len(before)


def test_a_repair_fetches_nothing_for_a_movie_that_was_removed_meanwhile(start: Start, engine: Engine) -> None:
    run = start()
    ingest_movie(run, 603)
    execute(engine, "UPDATE image_inventory SET status = 'pending'")
    with engine.begin() as connection:
        wanted = images_of(connection, 603)
    remove_movies(engine, load_settings(), [603])
    assert run.rehoster is not None

    results, _ = run.rehoster.fetch(wanted)

    assert (results, files(), keys(engine, "image_inventory")) == ([], set(), set())
