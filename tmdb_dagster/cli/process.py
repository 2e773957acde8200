"""The commands of Dagster and Celery, run as processes: this room imports neither."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import click

from tmdb_dagster.settings import REPOSITORY

_STOP_TIMEOUT_S = 30


def installed(program: str, *arguments: str) -> list[str]:
    """The command of this virtual environment."""
    return [str(Path(sys.executable).parent / program), *arguments]


def become(program: str, *arguments: str) -> NoReturn:
    """Replace this process by a command of this virtual environment.

    Raises click.ClickException where it is not installed.
    """
    # It is to get Ctrl+C even where this was started in the background of a script.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    command = installed(program, *arguments)
    try:
        os.execv(command[0], command)  # noqa: S606 - no shell wanted
    except FileNotFoundError as error:
        raise click.ClickException(
            f"{program} is not installed: install the extra `{program}` (pip install 'tmdb-dagster[{program}]')."
        ) from error


@contextmanager
def started(command: list[str], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose output goes to a file; interrupted when the block fails, waited for in any case."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=REPOSITORY,
            # Ctrl+C in a terminal would reach it, too: interrupted twice, it could not end in order.
            start_new_session=True,
        )
    try:
        yield process
        process.wait()
    except BaseException:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_TIMEOUT_S)
        process.kill()
        raise
    finally:
        process.wait()
