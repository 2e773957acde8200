"""This machine's own Postgres: unlike the embedded one it comes with the usual extensions, such as pg_trgm."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_IN_DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
POSTGRES = shutil.which("postgres") or (str(_IN_DEBIAN[-1]) if _IN_DEBIAN else None)

# It does not run as root.
_USER = "postgres" if os.geteuid() == 0 else None


@contextmanager
def machines_postgres() -> Iterator[str]:
    """A new server of this machine's Postgres; yields its superuser's address."""
    assert POSTGRES
    programs = Path(POSTGRES).resolve().parent
    folder = Path(tempfile.mkdtemp(prefix="tmdb-postgres-"))
    if _USER:
        shutil.chown(folder, _USER)
    try:
        _run(programs / "initdb", folder, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        _run(programs / "pg_ctl", folder, "--wait", "--log", str(folder / "log"), "--options", options, "start")
        try:
            yield f"postgresql+psycopg2://postgres@/postgres?host={folder}"
        finally:
            _run(programs / "pg_ctl", folder, "--wait", "--mode=immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _run(program: Path, folder: Path, *arguments: str) -> None:
    subprocess.run(
        [program, "--pgdata", folder / "data", *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        user=_USER,
        cwd=folder,
        timeout=60,
    )
