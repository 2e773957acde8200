"""What `make` does to the folder that it is called in."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values

from tmdb_dagster.settings import REPOSITORY


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with what `make install` reads, whose Python installs nothing."""
    for name in ("Makefile", "pyproject.toml", "requirements-local.lock"):
        shutil.copy(REPOSITORY / name, tmp_path)
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    return tmp_path


def make(folder: Path, target: str) -> None:
    # Not as a part of the `make` that may have started the tests.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "-C", str(folder), target, f"PYTHON={sys.executable}"]
    subprocess.run(command, check=True, capture_output=True, env=environment)


@pytest.mark.parametrize("before", [None, "TMDB_API_KEY=secret\n"])
def test_the_dotenv_file_is_its_owners_alone_and_outlives_clean_with_what_others_wrote(
    project: Path, before: str | None
) -> None:
    dotenv = project / ".env"
    if before:
        dotenv.write_text(before)
        dotenv.chmod(0o644)

    make(project, "install")

    assert stat.S_IMODE(dotenv.stat().st_mode) == 0o600
    make(project, "clean")
    assert (dotenv.read_text() if dotenv.exists() else None) == before


def test_a_dagster_home_that_is_typed_counts(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    make(project, "install")
    typed = tmp_path_factory.mktemp("typed")

    told = subprocess.run(
        [Path(sys.executable).parent / "dagster", "instance", "info"],
        check=True,
        capture_output=True,
        text=True,
        cwd=project,
        env={**os.environ, "DAGSTER_HOME": str(typed)},
    )

    assert f"$DAGSTER_HOME: {typed}\n" in told.stdout
    assert dotenv_values(project / ".env") == {"DAGSTER_HOME": str(project / ".tmdb_dagster/dagster")}
