"""Dagster's UI with the daemon, in a process of their own, for as long as this one lives; one for a state folder."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import click

from tmdb_dagster.cli.process import WORKSPACE_YAML, dagster_home, hint, installed, started, state_folder
from tmdb_dagster.settings import Settings

_POLL_S = 0.2
_STOP_TIMEOUT_S = 60.0


def run_ui(settings: Settings, host: str, port: int) -> None:
    """Run `dagster dev` until it is interrupted or told to stop, its output in a file of the state folder.

    Raises click.ClickException where the port is taken, the state folder has a UI already, or Dagster ends by itself.
    """
    state = settings.tmdb_dagster_state
    url = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104 - compared only
    output = state_folder(settings, "logs") / "ui.log"
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    command = installed("dagster", "dev", "--workspace", str(WORKSPACE_YAML), "--host", host, "--port", str(port))
    with _alone(state) as lock, dagster_home(settings):
        require_free("The UI", host, port, f" or `make ui PORT={port + 1}`")
        catalogue = _provide(settings, url)
        click.echo("Starting Dagster's UI, and the daemon that runs its schedules ...")
        try:
            with started(command, output, pass_fds=(lock.fileno(),)) as dagster:
                lock.write(f"{dagster.pid} {url}")
                lock.flush()
                _wait_for(url, dagster)
                if dagster.poll() is None:
                    click.echo(f"The UI is at {url}; Ctrl+C ends it. What Dagster logs goes to {output}.")
                    click.echo(f"The movies themselves, with posters and a search, are at {catalogue}.")
            ended = dagster.returncode
        except KeyboardInterrupt:
            ended = 0
    if ended != 0:
        raise click.ClickException(f"Dagster has ended with exit code {ended}: {output} says why.")
    click.echo("The UI has ended.")


def _provide(settings: Settings, url: str) -> str:
    """Start what Dagster's processes would each look for, and the pages of the catalogue; returns their address."""
    from tmdb_dagster.services.provide import dagster_database_url, provide_services, start_image_server

    provide_services(settings, click.echo)
    dagster_database_url(settings)
    return start_image_server(settings.tmdb_dagster_state, dagster_url=url)


def stop_ui(state: Path) -> bool:
    """End the UI of this state folder; False where it was not running."""
    with suppress(FileNotFoundError), (state / "ui.lock").open("r+") as lock:
        if _locked(lock):
            return False
        pid, _, _ = lock.read().partition(" ")
        if pid:
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGINT)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while not _locked(lock):
            if time.monotonic() > deadline:
                raise click.ClickException(f"The UI (process {pid}) has not ended in {_STOP_TIMEOUT_S:.0f} seconds.")
            time.sleep(_POLL_S)
        return True
    return False


@contextmanager
def _alone(state: Path) -> Iterator[TextIO]:
    """The lock of this state folder's UI; Dagster's process inherits it, and so holds it longer than this one."""
    with (state / "ui.lock").open("a+") as lock:
        if not _locked(lock):
            lock.seek(0)
            _, _, url = lock.read().partition(" ")
            raise click.ClickException(f"The UI runs already{f', at {url}' if url else ''}: `{hint('stop')}` ends it.")
        lock.truncate(0)
        yield lock


def _locked(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def require_free(who: str, host: str, port: int, more_ways: str = "") -> None:
    """Said before anything starts: Dagster says it after half a minute, when its daemon is at work."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise click.ClickException(
            f"{who} cannot listen on {host}:{port} ({os.strerror(error.errno or 0)}): choose another port, as in "
            f"`--port {port + 1}`{more_ways}."
        ) from error


def _wait_for(url: str, dagster: subprocess.Popen[bytes]) -> None:
    """Wait until the UI answers, or has ended."""
    import requests

    with requests.Session() as session:
        session.trust_env = False  # this machine is not asked by a proxy
        while dagster.poll() is None:
            with suppress(requests.RequestException):
                if session.get(f"{url}/server_info", timeout=5).ok:
                    return
            time.sleep(_POLL_S)
