"""A whole deployment on this machine: Postgres, Redis, and each role by its unit's own command."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.services.errors import ServiceNotStarted
from tmdb_dagster.services.postgres import database_url, start_postgres, stop_postgres
from tmdb_dagster.settings import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
BIN = Path(sys.executable).parent
RESTART_S = 5
"""As the units' RestartSec."""
RELOADS = 5
WORKERS = ("worker-1", "worker-2")
TAKEN, DONE = "] received", "] succeeded in"
"""What Celery logs of a run that a worker takes, and of one that has ended."""


class Service:
    """A process that is started again whenever it ends; what it leaves behind goes with it, as with systemd."""

    def __init__(self, command: list[str], environment: Mapping[str, str], folder: Path, name: str) -> None:
        self._command = command
        self._environment = environment
        self._folder = folder
        self._log = folder / f"{name}.log"
        self._closing = threading.Event()
        self.process = self._start()
        self._thread = threading.Thread(target=self._keep_alive, name=name, daemon=True)
        self._thread.start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _keep_alive(self) -> None:
        while True:
            self.process.wait()
            self._kill_group()
            if self._closing.wait(RESTART_S):
                return
            self.process = self._start()

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """SIGKILL to the whole group, as when the machine fails."""
        self._kill_group()

    def terminate(self, timeout_s: float) -> int:
        """SIGTERM to the process, as `systemctl restart` sends it; returns its exit code."""
        process = self.process
        process.terminate()
        return process.wait(timeout_s)

    def close(self) -> None:
        """End it for good."""
        self._closing.set()
        self._kill_group()
        self._thread.join()


class Fleet:
    """The processes by name, the catalogue, and what an operator asks them."""

    def __init__(self, folder: Path, sandbox: SandboxServer) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.services: dict[str, Service] = {}
        self._postgres = folder / "postgres"
        server = start_postgres(self._postgres)
        url = database_url(server, "movies")
        self.engine: Engine = create_engine(url, poolclass=NullPool)
        self._ports = {name: _free_port() for name in ("webserver", "code-location", "redis")}
        self._home = _install(folder / "etc", self._ports)
        self.environment = self._read_environment(url, database_url(server, "dagster"))

    def _read_environment(self, catalogue: str, dagster: str) -> dict[str, str]:
        """What the units' file says, filled in."""
        given = {
            "DAGSTER_HOME": str(self._home),
            "PYTHONPATH": str(self._home),
            "TMDB_DAGSTER_STATE": str(self.folder / "state"),
            "PATH": f"{BIN}:/usr/bin:/bin",
            "DATABASE_URL": catalogue,
            "DAGSTER_DATABASE_URL": dagster,
            "TMDB_READ_ACCESS_TOKEN": "any",
            "MOVIE_IMAGES_STORE": "none",
            "CELERY_BROKER_URL": f"redis://127.0.0.1:{self._ports['redis']}/0",
            "CELERY_RESULT_BACKEND": f"redis://127.0.0.1:{self._ports['redis']}/1",
        }
        text = (DEPLOY / "systemd/environment").read_text("utf8").replace("#CELERY", "CELERY")
        told = dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#"))
        assert given.keys() <= told.keys()
        sandbox = {
            "TMDB_API_URL": self.sandbox.api_url,
            "TMDB_IMAGE_URL": self.sandbox.image_url,
            "YOUTUBE_IMAGE_URL": self.sandbox.youtube_url,
        }
        return {**told, **given, **sandbox, "HOME": str(self.folder), "TMPDIR": str(self.folder)}

    def start(self) -> None:
        """Start Redis, migrate, then start the roles, in the order of the units."""
        self._serve("redis", ["redis-server", "--port", str(self._ports["redis"]), "--appendonly", "yes"])
        for command in self._unit("migrate"):
            self.run(*command)
        for role in ("code-location", "daemon", "webserver"):
            self._serve(role, *self._unit(role))
        for name in WORKERS:
            [command] = self._unit("worker")
            self._serve(name, [*command, "--hostname", f"{name}@%h"])
        until(self.webserver_answers, "the webserver answers", 120)

    def _serve(self, name: str, command: list[str]) -> None:
        self.services[name] = Service(command, self.environment, self.folder, name)

    def _unit(self, role: str) -> list[list[str]]:
        """The commands of a role's unit, with this machine's places."""
        text = (DEPLOY / f"systemd/tmdb-dagster-{role}.service").read_text("utf8")
        commands = [line.removeprefix("ExecStart=") for line in text.splitlines() if line.startswith("ExecStart=")]
        return [shlex.split(self._placed(command)) for command in commands]

    def _placed(self, command: str) -> str:
        places = {
            "/opt/tmdb-dagster/bin": str(BIN),
            "/etc/tmdb-dagster": str(self._home),
            "--port 3000": f"--port {self._ports['webserver']}",
            "--port 4000": f"--port {self._ports['code-location']}",
        }
        for ours, here in places.items():
            command = command.replace(ours, here)
        return command

    def log_of(self, name: str) -> str:
        """What a service has written by now."""
        return (self.folder / f"{name}.log").read_text("utf8")

    def worker_at_work(self) -> str:
        """A worker that is executing a run."""
        logs = {name: self.log_of(name) for name in WORKERS}
        return next(name for name, log in logs.items() if log.count(TAKEN) > log.count(DONE))

    def start_runs(self, job: str, number: int) -> None:
        """Start runs of a job that has no config, as the webserver's button does."""
        location = {"repositoryLocationName": "tmdb_dagster.definitions", "repositoryName": "__repository__"}
        parameters = {"selector": {**location, "pipelineName": job}, "runConfigData": {}}
        query = """mutation Start($parameters: ExecutionParams!) {
            launchRun(executionParams: $parameters) { __typename }
        }"""
        for _ in range(number):
            assert self._ask(query, parameters=parameters) == {"__typename": "LaunchRunSuccess"}

    def run(self, *command: str) -> str:
        """Run a command as an operator does, and see it succeed; returns its output."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def kill_postgres(self) -> None:
        """SIGKILL to the server, which then is started again."""
        [pid, *_] = (self._postgres / "data/postmaster.pid").read_text().splitlines()
        os.kill(int(pid), signal.SIGKILL)
        time.sleep(RESTART_S)
        until(self._starts_postgres, "Postgres starts again", 60)

    def _starts_postgres(self) -> bool:
        try:
            start_postgres(self._postgres)
        except (ServiceNotStarted, subprocess.CalledProcessError):
            return False  # what the killed server left is still ending
        return True

    def webserver_answers(self) -> bool:
        """Whether the webserver is up and knows the code location."""
        try:
            return bool(
                self._ask("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }")["nodes"]
            )
        except (requests.RequestException, KeyError):
            return False

    def runs(self) -> dict[str, str]:
        """The status of each run, as the webserver shows them."""
        found = self._ask("{ runsOrError { ... on Runs { results { runId status } } } }")
        return {run["runId"]: run["status"] for run in found["results"]}

    def events(self, run_id: str) -> list[str]:
        """The types of a run's events, as the webserver shows them."""
        query = (
            f'{{ logsForRun(runId: "{run_id}") {{ ... on EventConnection {{ events {{ __typename }} hasMore }} }} }}'
        )
        return [event["__typename"] for event in self._ask(query)["events"]]

    def _ask(self, query: str, **variables: Any) -> Any:
        """Ask the webserver, again as a person reloads a page: it keeps connections that died with Postgres."""
        url = f"http://127.0.0.1:{self._ports['webserver']}/graphql"
        for _ in range(RELOADS):
            answer = requests.post(url, json={"query": query, "variables": variables}, timeout=30)
            if answer.ok:
                break
        answer.raise_for_status()
        [found] = answer.json()["data"].values()
        return found

    def close(self) -> None:
        """End all of it."""
        for service in self.services.values():
            service.close()
        stop_postgres(self._postgres)


def _install(home: Path, ports: Mapping[str, int]) -> Path:
    """The folder that DAGSTER_HOME and PYTHONPATH name, as docs/production.md makes it for Celery."""
    home.mkdir()
    parts = ("dagster.yaml", "celery/launcher.yaml")
    (home / "dagster.yaml").write_text("".join((DEPLOY / part).read_text("utf8") for part in parts))
    workspace = (DEPLOY / "workspace.yaml").read_text("utf8")
    (home / "workspace.yaml").write_text(workspace.replace("4000", str(ports["code-location"])))
    shutil.copy(DEPLOY / "celery/dagster_celery_config.py", home)
    return home


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def until(condition: Callable[[], bool], what: str, timeout_s: float) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"Waited {timeout_s:.0f} seconds in vain: {what}"
        time.sleep(0.05)


@contextmanager
def fleet_in(folder: Path, sandbox: SandboxServer) -> Iterator[Fleet]:
    """A running deployment whose files are in `folder`."""
    fleet = Fleet(folder, sandbox)
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.close()
