"""What a reader asks for comes into the catalogue by itself, where the daemon runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance
from jsonschema_rs import Draft202012Validator
from sqlalchemy import Engine

from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import REPOSITORY
from tmdb_dagster.transform.card_schema import CARD_SCHEMA
from tmdb_dagster_tests.pipeline.enriching import some_movies
from tmdb_dagster_tests.warehouse.database import execute, rows, value

START_S = 90
WITHIN_S = 60

pytestmark = pytest.mark.long


@pytest.fixture
def daemon(
    store: None, database_address: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The daemon at work."""
    (tmp_path / "dagster.yaml").symlink_to(REPOSITORY / "dagster.yaml")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_DATABASE_URL", database_address(f"dagster_{uuid.uuid4().hex[:12]}"))
    command = [str(Path(sys.executable).parent / "tmdb-dagster"), "serve", "daemon", "-m", "tmdb_dagster.definitions"]
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        _wait_for_ticks(process, tmp_path / "output")
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


@pytest.fixture
def store(
    settings_environment: dict[str, str], image_server: str, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOVIE_IMAGES_STORE", "local")
    monkeypatch.setenv("MOVIE_IMAGES_FOLDER", str(image_folder))
    monkeypatch.setenv("MOVIE_IMAGES_PUBLIC_URL", image_server)


def _wait_for_ticks(process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + START_S
    with DagsterInstance.get() as instance:
        while not any(state.name == "refresh_worker" for state in instance.all_instigator_state()):
            assert process.poll() is None, output.read_text("utf8")
            assert time.monotonic() < deadline, output.read_text("utf8")
            time.sleep(0.5)


def _ask(engine: Engine, role: str, tmdb_id: int) -> dict[str, Any]:
    with engine.begin() as connection:
        connection.exec_driver_sql(f"SET LOCAL ROLE {role}")
        answer = connection.exec_driver_sql(f"SELECT request_movie({tmdb_id})").scalar()
    assert isinstance(answer, dict)
    return answer


def test_a_requested_movie_is_there_within_a_minute(
    daemon: None, engine: Engine, sandbox: SandboxServer, image_folder: Path
) -> None:
    role = f"app_{engine.url.database}"
    execute(engine, f"CREATE ROLE {role}; GRANT EXECUTE ON FUNCTION request_movie(bigint) TO {role}")
    for tmdb_id in some_movies(sandbox, 3):
        asked_at = time.monotonic()
        while (answer := _ask(engine, role, tmdb_id))["status"] != "complete":
            assert answer["status"] == "queued"
            assert time.monotonic() - asked_at < WITHIN_S
            time.sleep(0.5)

        card = value(engine, "SELECT payload FROM work_cards_cache WHERE work_id = :id", id=answer["work_id"])
        assert Draft202012Validator(CARD_SCHEMA).is_valid(card)
        images = rows(
            engine,
            "SELECT key, status FROM work_images l JOIN image_inventory i USING (key) WHERE l.work_id = :id",
            id=answer["work_id"],
        )
        assert {image.status for image in images} == {"stored"}
        assert all(any(image_folder.rglob(image.key)) for image in images)
    execute(engine, f"DROP OWNED BY {role}; DROP ROLE {role}")
