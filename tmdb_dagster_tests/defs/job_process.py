"""`dagster job execute` in a process forked from one that has imported what it needs, which takes seconds."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from subprocess import TimeoutExpired

from tmdb_dagster.settings import REPOSITORY

_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "dagster._cli",
        "tmdb_dagster.definitions",
        "tmdb_dagster.defs.storage",
        "tmdb_dagster.pipeline.discover",
        "tmdb_dagster.pipeline.refresh",
        "tmdb_dagster.pipeline.run",
    ]
)


class JobProcess:
    """The process, as `subprocess.Popen` shows one; it leads a process group."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], output: Path) -> None:
        self._process = _FORKS.Process(target=_execute, args=(arguments, dict(environment), output))
        self._process.start()
        self.pid: int = self._process.pid or 0
        while self.poll() is None and os.getpgid(self.pid) != self.pid:
            time.sleep(0.001)

    @property
    def returncode(self) -> int | None:
        """The exit code, negative of the signal that ended it; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended. Raises TimeoutExpired."""
        self._process.join(timeout)
        if self.returncode is None:
            raise TimeoutExpired("dagster job execute", timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """To the process alone."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL to the whole group, if the process has not ended."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def _execute(arguments: Sequence[str], environment: Mapping[str, str], output: Path) -> None:
    """Become the command, started from the repository's root."""
    from dagster._cli import main

    with output.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(REPOSITORY)
    os.environ.clear()
    os.environ.update(environment)
    os.setsid()
    sys.argv = ["dagster", "job", "execute", "-m", "tmdb_dagster.definitions", *arguments]
    try:
        main()  # type: ignore[no-untyped-call]
    finally:
        atexit._run_exitfuncs()  # as a process does that ends, and a forked one does not
