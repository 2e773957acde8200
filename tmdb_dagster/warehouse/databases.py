"""The databases of a Postgres server."""

from __future__ import annotations

from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.pool import NullPool

_KNOWN = text("SELECT 1 FROM pg_database WHERE datname = :name")


def create_database(server_url: str, name: str) -> None:
    """Create the database `name` unless it is there; any number of processes may do it at once."""
    admin = create_engine(server_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        if connection.scalar(_KNOWN, {"name": name}) is None:
            try:
                connection.execute(text(f'CREATE DATABASE "{name}"'))
            except (IntegrityError, ProgrammingError):
                # Another process created it between the question and this; anything else is an error.
                if connection.scalar(_KNOWN, {"name": name}) is None:
                    raise
