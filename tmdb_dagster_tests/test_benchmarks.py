"""The benchmarks leave nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tmdb_dagster.settings import REPOSITORY

STAGE = """
import time
from benchmarks.stage import postgres
with postgres() as server:
    print(server.folder, flush=True)
    time.sleep(60)
"""


def test_an_ended_benchmark_leaves_no_postgres() -> None:
    command = [sys.executable, "-c", STAGE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        server = psutil.Process(int((folder / "postgres/data/postmaster.pid").read_text().splitlines()[0]))

        process.send_signal(signal.SIGTERM)

        assert process.wait(30) == 128 + signal.SIGTERM
    # In a container nobody may ask how an adopted process has ended.
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    assert not folder.exists()
