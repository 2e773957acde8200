"""A server of ours on this machine, which runs in the background for the processes of one state folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tmdb_dagster.services.errors import ServiceNotStarted

_HEALTH_TIMEOUT_S = 2
_START_TIMEOUT_S = 30

# A process that is never waited for would be warned about when its handle is collected.
_started: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class LocalServer:
    """A module that takes --port, and at /_sandbox/health tells what it `says` and its process id."""

    name: str
    module: str
    says: str

    def port_file(self, state: Path) -> Path:
        return state / f"{self.name}.port"

    def url(self, state: Path) -> str:
        """Its address, which stays the same for a state folder."""
        return f"http://127.0.0.1:{_port(self.port_file(state))}"

    def pid(self, state: Path) -> int | None:
        """Its process, or None where it does not answer."""
        import requests

        try:
            with requests.Session() as session:
                session.trust_env = False  # this machine is not asked by a proxy
                answer = session.get(f"{self.url(state)}/_sandbox/health", timeout=_HEALTH_TIMEOUT_S).json()
        except (requests.RequestException, ValueError):
            return None
        return answer.get("pid") if answer.get("sandbox") == self.says else None

    def start(self, state: Path, *arguments: str) -> str:
        """Start it in the background, or find it running; returns its address. Raises ServiceNotStarted."""
        state.mkdir(parents=True, exist_ok=True)
        url = self.url(state)
        if self.pid(state) is not None:
            return url
        command = [sys.executable, "-m", self.module, "--port", url.rpartition(":")[2], *arguments]
        with (state / f"{self.name}.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own module
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        _started.append(process)
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            # Where two processes start it at once, one finds the port taken; either way it is up then.
            if self.pid(state) is not None:
                return url
            time.sleep(0.05)
        process.kill()  # else it would take the port once that is free
        process.wait()
        raise ServiceNotStarted(
            f"The {self.name} server did not start at {url}. {state / self.name}.log says why; if another program has "
            f"the port, remove {self.port_file(state)}."
        )

    def stop(self, state: Path) -> bool:
        """Ask it to stop; False where it was not running."""
        if not self.port_file(state).exists() or (pid := self.pid(state)) is None:
            return False
        os.kill(pid, signal.SIGTERM)
        for process in _started:
            if process.pid == pid:
                process.wait()
        return True


def _port(file: Path) -> int:
    """The port that this state folder's server has; chosen once, since stored image URLs name it."""
    if not file.exists():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            choice = file.with_name(f"{file.name}.{os.getpid()}")
            choice.write_text(str(probe.getsockname()[1]))
        with suppress(FileExistsError):
            file.hardlink_to(choice)  # whole or not at all, and never over another process's choice
        choice.unlink()
    return int(file.read_text())
