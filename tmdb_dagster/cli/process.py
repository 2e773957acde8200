"""Dagster's own commands, run as processes: this room does not import Dagster."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tmdb_dagster.settings import REPOSITORY, child_environment

_STOP_TIMEOUT_S = 30


def dagster_environment(state: Path) -> dict[str, str]:
    """The environment for Dagster's processes: a home in the state folder, unless DAGSTER_HOME names another.

    Without a home Dagster makes a temporary one, and says that what it keeps there will be removed.
    """
    home = state.resolve() / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(REPOSITORY / "dagster.yaml", home / "dagster.yaml")
    return {"DAGSTER_HOME": str(home), **child_environment()}


def dagster_command(*arguments: str) -> list[str]:
    """`dagster` of this virtual environment."""
    return [str(Path(sys.executable).parent / "dagster"), *arguments]


@contextmanager
def started(command: list[str], environment: dict[str, str], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose output goes to a file; interrupted when the block fails, waited for in any case."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=REPOSITORY,
            env=environment,
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
