"""Every role runs as an ordinary user where it may write nothing, with a state folder elsewhere or with none."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import requests
from sqlalchemy.engine import make_url

from tmdb_dagster.settings import REPOSITORY
from tmdb_dagster_tests.database_proxy import database_proxy

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root cannot be made an ordinary user"
    ),
]

BIN = Path(sys.executable).parent
HEALTHY_S = 120
_LOCATION = "tmdb_dagster.definitions"
# Root without its capabilities is an ordinary user, who owns this environment.
ORDINARY = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


class Machine:
    """A folder that may not be written to, and the environment of the processes that start in it."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder = folder
        self.variables = variables
        self.stack = ExitStack()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*ORDINARY, *command], cwd=self.folder, env=self.variables, capture_output=True, text=True, check=False
        )

    def serve(self, *arguments: str) -> psutil.Process:
        """Start a role, which ends with the test."""
        process = self.stack.enter_context(
            subprocess.Popen(
                [*ORDINARY, "tmdb-dagster", "serve", *arguments],
                cwd=self.folder,
                env=self.variables,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        self.stack.callback(process.terminate)
        return psutil.Process(process.pid)


@pytest.fixture
def addresses(new_database: Callable[..., str]) -> Iterator[list[str]]:
    """Of two databases, through a proxy: the socket of the tests' server is another user's."""
    catalogue, dagster = new_database(), make_url(new_database())
    with database_proxy(catalogue) as (_, through):
        urls = (through, through.set(database=dagster.database))
        yield [url.set(drivername="postgresql").render_as_string(hide_password=False) for url in urls]


@pytest.fixture(params=["elsewhere", "nowhere"])
def machine(request: pytest.FixtureRequest, addresses: list[str], tmp_path: Path) -> Iterator[Machine]:
    home, folder = tmp_path / "home", tmp_path / "folder"
    for made in (home, folder):
        made.mkdir()
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(REPOSITORY / "deploy" / name, home)
    variables = {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMDB_DAGSTER_ENV": "production",
        "TMDB_READ_ACCESS_TOKEN": "none",
        "MOVIE_IMAGES_STORE": "none",
        "DATABASE_URL": addresses[0],
        "DAGSTER_DATABASE_URL": addresses[1],
        "DAGSTER_HOME": str(home),
        "CODE_LOCATION_HOST": "127.0.0.1",
    }
    if request.param == "elsewhere":
        variables["TMDB_DAGSTER_STATE"] = str(tmp_path / "state")
    for closed in (home, folder):
        closed.chmod(0o555)
    machine = Machine(folder, variables)
    with machine.stack:
        yield machine
    for opened in (home, folder):
        opened.chmod(0o755)


def _until(healthy: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + HEALTHY_S
    while not healthy():
        assert time.monotonic() < deadline, f"not healthy: {what}"
        time.sleep(1)


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/server_info", timeout=5).ok
    except requests.ConnectionError:
        return False


def _launched(port: int) -> str:
    """What the webserver says to whoever starts a run."""
    location = {"repositoryLocationName": _LOCATION, "repositoryName": "__repository__"}
    parameters = {"selector": {**location, "pipelineName": "ops_report"}, "runConfigData": {}}
    query = "mutation Start($parameters: ExecutionParams!) { launchRun(executionParams: $parameters) { __typename } }"
    asked = {"query": query, "variables": {"parameters": parameters}}
    answer = requests.post(f"http://127.0.0.1:{port}/graphql", json=asked, timeout=60)
    return str(answer.json()["data"]["launchRun"]["__typename"])


def test_every_role_is_healthy_and_a_run_ends_well(machine: Machine, tmp_path: Path) -> None:
    assert machine.run("touch", "anything").returncode == 1, "the folder can be written to"
    code, web = str(_free_port()), _free_port()
    workspace = tmp_path / "workspace.yaml"
    workspace.write_text(f"load_from: [{{grpc_server: {{host: 127.0.0.1, port: {code}, location_name: {_LOCATION}}}}}]")

    migrated = machine.run("tmdb-dagster", "migrate")
    assert migrated.returncode == 0, migrated.stderr
    machine.serve("code-location", "--host", "127.0.0.1", "--port", code)
    health = ["dagster", "api", "grpc-health-check", "--port", code]
    _until(lambda: machine.run(*health).returncode == 0, "code-location")
    machine.serve("daemon", "--workspace", str(workspace))
    webserver = machine.serve("webserver", "--read-only", "--port", str(web), "--workspace", str(workspace))
    _until(lambda: _answers(web), "webserver")
    listening = {place.laddr.ip for place in webserver.net_connections("tcp") if place.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}
    assert _launched(web) == "UnauthorizedError"
    _until(lambda: machine.run("dagster-daemon", "liveness-check").returncode == 0, "daemon")
    executed = machine.run("dagster", "job", "execute", "-m", "tmdb_dagster.definitions", "-j", "ops_report")

    assert executed.returncode == 0, executed.stderr
    assert "PermissionError" not in executed.stderr
    assert list(machine.folder.iterdir()) == []
    kept = {path.relative_to(tmp_path).parts[:3] for path in (tmp_path / "state").rglob("*") if path.is_file()}
    assert kept <= {("state", "dagster", "logs")}


def test_what_needs_a_folder_names_the_setting(machine: Machine) -> None:
    del machine.variables["DAGSTER_HOME"]
    machine.variables.pop("TMDB_DAGSTER_STATE", None)

    done = machine.run("tmdb-dagster", "serve", "daemon")

    assert done.returncode == 1
    assert done.stderr.endswith("(Permission denied): set TMDB_DAGSTER_STATE to a folder that can be written.\n")
    assert done.stderr.count("\n") == 1
