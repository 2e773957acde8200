"""Dagster's own commands, run as processes: this room does not import Dagster."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tmdb_dagster.settings import REPOSITORY

_STOP_TIMEOUT_S = 30


def dagster_command(*arguments: str) -> list[str]:
    """`dagster` of this virtual environment."""
    return [str(Path(sys.executable).parent / "dagster"), *arguments]


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
