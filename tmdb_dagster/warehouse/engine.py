"""Connections to the catalogue's Postgres."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import orjson
import tenacity
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError

from tmdb_dagster.warehouse.errors import DatabaseUnavailable, SchemaNotCurrent

_P = ParamSpec("_P")
_T = TypeVar("_T")

HEAD = "0100"
"""The migration that this version of the package works with."""

RETRY_S = 30.0
"""For how long a transaction is tried again where the connection breaks."""

# An escaped NUL, which an even number of backslashes may precede: with an odd one it is a backslash and letters.
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def connect(url: str, *, schema: str = "public", connections: int = 4) -> Engine:
    """An engine for the catalogue; opens no connection yet.

    Transactions carry all state, so that a pooler that lends a connection for one transaction at a time will do.
    """
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=2,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 10, "application_name": "tmdb_dagster"},
    )
    if schema != "public":

        @event.listens_for(engine, "begin")
        def _set_search_path(connection: Connection) -> None:
            connection.exec_driver_sql(f'SET LOCAL search_path TO "{schema}"')

    return engine


def address(url: str) -> str:
    """The address without the password, for messages."""
    return make_url(url).set(query={}).render_as_string(hide_password=True)


@contextmanager
def reachable(engine: Engine) -> Iterator[None]:
    """Turn a lost or refused connection into DatabaseUnavailable, which names the address."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        reason = " ".join(str(error.orig).split()) if error.orig else "no answer"
        raise DatabaseUnavailable(
            f"The database at {address(str(engine.url))} cannot be reached: {reason}. "
            "Check DATABASE_URL and that the server is up."
        ) from error


def check_schema(engine: Engine) -> None:
    """Raise SchemaNotCurrent unless the tables are the ones this version works with."""
    with reachable(engine), engine.begin() as connection:
        try:
            revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
        except ProgrammingError:
            revision = None
    if revision != HEAD:
        raise SchemaNotCurrent(
            f"The database at {address(str(engine.url))} is at revision {revision or 'none'}, "
            f"and this version needs {HEAD}: run `tmdb-dagster migrate`."
        )


def retry_transaction(transaction: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
    """Do a transaction, and do it again for RETRY_S seconds where the connection breaks."""
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(OperationalError),
        wait=tenacity.wait_random_exponential(multiplier=0.2, max=5),
        stop=tenacity.stop_after_delay(RETRY_S),
        reraise=True,
    )
    return retrying(transaction, *arguments, **named)


def json_parameter(value: Any) -> str:
    """A value for CAST(:parameter AS jsonb), without NUL characters, which Postgres cannot store in a text."""
    document = orjson.dumps(value).decode()
    return _NUL.sub(r"\1", document) if r"\u0000" in document else document
