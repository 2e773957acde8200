"""What `tmdb-dagster ui` refuses before anything starts; the UI itself is in defs/test_browser.py and test_wheel.py."""

from __future__ import annotations

import fcntl
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from tmdb_dagster.cli.main import main


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    state = tmp_path / "state"
    monkeypatch.setenv("TMDB_DAGSTER_STATE", str(state))
    return state


def test_a_taken_port_is_told_before_anything_starts(state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(main, ["ui", "--port", str(port)])

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: The UI cannot listen on 127.0.0.1:{port} (Address already in use): choose")
    assert f"`make ui PORT={port + 1}`" in result.stderr
    assert not (state / "postgres").exists()


def test_a_folder_has_one_ui(state: Path) -> None:
    state.mkdir()
    with (state / "ui.lock").open("w+") as lock:
        lock.write("1 http://127.0.0.1:3000")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = CliRunner().invoke(main, ["ui", "--port", "0"])

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: The UI runs already, at http://127.0.0.1:3000: `")
    assert not (state / "postgres").exists()


@pytest.mark.parametrize("odd", [" ", "'", "$"])
def test_a_path_that_the_embedded_postgres_cannot_have_is_told_with_the_way_out(
    odd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMDB_DAGSTER_STATE", str(tmp_path / f"my{odd}movies"))

    result = CliRunner().invoke(main, ["status"])

    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: The embedded Postgres cannot be in {tmp_path}/my{odd}movies/postgres")
    assert "set TMDB_DAGSTER_STATE to a folder whose path has none" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("TMDB_DAGSTER_STATE", str(tmp_path / "file"))

    result = CliRunner().invoke(main, ["status"])

    assert result.exit_code == 2
    assert result.stderr.startswith("Error: The embedded Postgres in ")
    assert "TMDB_DAGSTER_STATE chooses another" in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_embedded_database_has_an_address_unless_it_is_not_used(
    settings_environment: dict[str, str],
) -> None:
    for command in ("url", "psql"):
        result = CliRunner().invoke(main, [command])
        assert result.exit_code == 1
        assert result.stderr == "Error: DATABASE_URL is set: it is the address, and no embedded database is used.\n"
