"""Processes and what they cost: wall time, CPU, peak memory."""

from __future__ import annotations

import json
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_POLL_S = 0.02


class ProcessFailed(Exception):
    """A measured process ended with an error; the text is the end of its output."""


@dataclass(frozen=True)
class Cost:
    """One process from its start to its end; `result` is what it reported by `measured`."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    output: str
    result: Mapping[str, float]


@contextmanager
def measured() -> Iterator[dict[str, float]]:
    """In a measured process: the work itself, apart from start and imports. Add figures to what it yields."""
    result = {"base_mb": resident_mb("self", "VmRSS")}
    cpu, wall = time.process_time(), time.perf_counter()
    yield result
    result |= {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    print(f"\n{json.dumps(result)}", flush=True)


def run(command: list[str], *, environment: Mapping[str, str], folder: Path, stdin: Any = None) -> Cost:
    """Run a process to its end; `stdin` is sent as JSON.

    Raises ProcessFailed.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output:
        given.write(json.dumps(stdin).encode())
        given.seek(0)
        cpu, wall = _cpu_of_children(), time.perf_counter()
        process = subprocess.Popen(
            command, stdin=given, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=folder
        )
        # Not ru_maxrss: a child inherits its parent's, https://bugzilla.kernel.org/show_bug.cgi?id=58171
        peak_mb = 0.0
        try:
            while process.poll() is None:
                peak_mb = max(peak_mb, resident_mb(str(process.pid), "VmHWM"))
                time.sleep(_POLL_S)
        finally:
            process.kill()
        wall, cpu = time.perf_counter() - wall, _cpu_of_children() - cpu
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if process.returncode != 0:
        raise ProcessFailed(f"{' '.join(command)} ended with {process.returncode}:\n{text[-4000:]}")
    last = text.rstrip().rpartition("\n")[2]
    return Cost(wall, cpu, peak_mb, text, json.loads(last) if last.startswith("{") else {})


def resident_mb(process: str, field: str) -> float:
    """VmRSS (now) or VmHWM (peak) of a process in MB (10^6 bytes); 0 where there is no /proc or no process any more."""
    try:
        status = Path(f"/proc/{process}/status").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    kib = next((line.split()[1] for line in status.splitlines() if line.startswith(f"{field}:")), "0")
    return int(kib) * 1024 / 1e6


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
