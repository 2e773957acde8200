"""What `make` does to the folder that it is called in."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values

from tmdb_dagster.services.provide import SANDBOX_NOTICE
from tmdb_dagster.settings import REPOSITORY
from tmdb_dagster_tests.transcript import documented, printed


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


def make(folder: Path, target: str) -> str:
    """What it prints."""
    # Not as a part of the `make` that may have started the tests.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--no-print-directory", "-C", str(folder), target, f"PYTHON={sys.executable}"]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def test_an_installation_shows_how_far_it_is(project: Path) -> None:
    python = project / ".venv/bin/python"
    lines = [f"Collecting package{number}" for number in range(85)] + ["Installing collected packages: package0"]
    python.write_text(
        "#!/bin/sh\ncase $* in *--require-hashes*) cat <<END\n{}\nEND\n;; esac\n".format("\n".join(lines))
    )

    output = make(project, "install")

    shown = documented("make ingest")
    assert printed(output) == shown[: shown.index(SANDBOX_NOTICE)]
    assert re.findall(r"^  (\d+) of \d+ packages", output, re.MULTILINE) == ["20", "40", "60", "80"]


def test_an_installation_that_fails_is_not_taken_for_done(project: Path) -> None:
    (project / ".venv/bin/python").write_text("#!/bin/sh\ncase $* in *--require-hashes*) exit 1;; esac\n")

    with pytest.raises(subprocess.CalledProcessError):
        make(project, "install")

    assert not (project / ".venv/requirements-local").exists()


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
