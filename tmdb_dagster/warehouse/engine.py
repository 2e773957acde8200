"""Connections to the catalogue's Postgres."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import InterfaceError, OperationalError

from tmdb_dagster.warehouse.errors import (
    AccessDenied,
    DatabaseBusy,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseUnavailable,
    QueryCanceled,
    SchemaAhead,
    SchemaBehind,
    SchemaNotCurrent,
    TooFewConnections,
    WarehouseError,
)

HEAD = "0120"
"""The migration that this version of the package works with."""

VERSION_TABLE = "catalogue_version"
"""Where Alembic notes it. Not in its usual `alembic_version`, which may be Dagster's, in the same schema."""

SESSION_LIMITS = {"lock_timeout": "5s", "idle_in_transaction_session_timeout": "20s", "statement_timeout": "120s"}
"""Of every transaction: a client that vanished in the midst of one keeps its locks for seconds, not for hours."""

ONE_MESSAGE = {"one_message": True}
"""Execution options with which statements and their limits are one message to the server, so a transaction."""

# A network that swallows packets is noticed within half a minute.
_TCP_LIMITS = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25_000}

# An escaped NUL, which an even number of backslashes may precede: with an odd one it is a backslash and letters.
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def connect(url: str, *, schema: str = "public", connections: int = 4) -> Engine:
    """An engine for the catalogue; opens no connection yet. Its errors are those of warehouse/errors.py.

    Transactions carry all state, so that a pooler that lends a connection for one transaction at a time will do.
    """
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=2,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 10,
            "application_name": "tmdb_dagster",
            # What the database's encoding cannot hold is refused by the server, as any value that does not fit.
            "client_encoding": "utf8",
            **_TCP_LIMITS,
        },
    )
    event.listen(engine, "handle_error", _ours)
    settings = dict(SESSION_LIMITS)
    if schema != "public":
        settings["search_path"] = schema
    limits = "; ".join(f'SET LOCAL {name} TO "{value}"' for name, value in settings.items())

    @event.listens_for(engine, "begin")
    def _set(connection: Connection) -> None:
        if _is_one_message(connection):
            # Not as SQLAlchemy's isolation level, which asks the server to be reset when the connection is given back.
            connection.connection.driver_connection.autocommit = True  # type: ignore[union-attr]
        else:
            connection.exec_driver_sql(limits)

    @event.listens_for(engine, "checkin")
    def _reset(connection: Any, _: object) -> None:
        if connection is not None and not connection.closed:
            connection.autocommit = False

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def _precede(connection: Connection, _: Any, statement: str, parameters: Any, *__: Any) -> tuple[str, Any]:
        return f"{limits}; {statement}" if _is_one_message(connection) else statement, parameters

    return engine


def _is_one_message(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("one_message"))


def address(url: str) -> str:
    """The address without the password, for messages."""
    return make_url(url).set(query={}).render_as_string(hide_password=True)


class _State(NamedTuple):
    """What an SQLSTATE is to us: our error, what the database is said to do, and the cure."""

    error: type[WarehouseError]
    says: str
    cure: str


_UNREACHABLE = _State(
    DatabaseUnavailable,
    "cannot be reached",
    "Check host, port, user and password in DATABASE_URL, and that the server is up.",
)
_EXHAUSTED = _State(
    TooFewConnections,
    "lends no more connections",
    "Lower TMDB_CONCURRENCY and MOVIE_IMAGES_CONCURRENCY, or raise the limit of the server, the pooler or the role.",
)
_BUSY = _State(
    DatabaseBusy, "is busy", "Try again later; pg_stat_activity shows what others do, and which locks they wait for."
)
_FULL = _State(DatabaseFull, "has no room left", "Free space or enlarge it, then run again.")
_NOT_CURRENT = _State(SchemaNotCurrent, "lacks what this version needs", "Run `tmdb-dagster migrate`.")
# https://www.postgresql.org/docs/current/errcodes-appendix.html; a class stands for all of it.
_STATES = {
    "08": _UNREACHABLE,
    "28": _UNREACHABLE,
    "57P": _UNREACHABLE,
    "25P03": _UNREACHABLE,
    "53300": _EXHAUSTED,
    "40": _BUSY,
    "55P03": _BUSY,
    "57014": _State(QueryCanceled, "ended a statement", "Try again; if it lasts, pg_stat_activity shows what is slow."),
    "53": _FULL,
    "25006": _State(
        DatabaseReadOnly,
        "is read-only",
        "Write to the primary server, not to a replica; where a full disk made it read-only, as Supabase does, free "
        "space or enlarge it, and lift default_transaction_read_only.",
    ),
    "42501": _State(
        AccessDenied,
        "refuses it to this role",
        "Use a role with these rights in DATABASE_URL: deploy/postgres/pipeline_role.sql makes one; migrations need "
        "the owner of the tables.",
    ),
    "42P01": _NOT_CURRENT,
    "42703": _NOT_CURRENT,
    "42883": _NOT_CURRENT,
}
# psycopg2 gives no SQLSTATE where a connection is refused.
_NO_CONNECTION_LEFT = re.compile("too many (connections|clients)|connection slots|max clients|max_client_conn")


def _state(context: ExceptionContext) -> _State | None:
    """What an error of the database is to us; None: one of a value, or of the program."""
    original = context.original_exception
    code = getattr(original, "pgcode", None)
    if code is not None:
        return next((_STATES[code[:length]] for length in (5, 3, 2) if code[:length] in _STATES), None)
    if _NO_CONNECTION_LEFT.search(str(original)):
        return _EXHAUSTED
    broken = context.is_disconnect or isinstance(context.sqlalchemy_exception, OperationalError | InterfaceError)
    return _UNREACHABLE if context.connection is None or broken else None


def _ours(context: ExceptionContext) -> WarehouseError | None:
    """What SQLAlchemy is to raise instead of an error of the database; None: the error as it is."""
    if context.is_pre_ping or context.sqlalchemy_exception is None or context.engine is None:
        return None
    if (state := _state(context)) is None:
        return None
    diagnosis = getattr(context.original_exception, "diag", None)
    told = (diagnosis and diagnosis.message_primary) or str(context.original_exception)
    reason = " ".join(told.split()).rstrip(".")
    where = f"The database at {address(str(context.engine.url))}"
    return state.error(f"{where} {state.says}: {reason}. {state.cure}")


def check_schema(engine: Engine) -> None:
    """Raise SchemaNotCurrent unless this version may run on the tables: its own, or later ones that still serve it.

    SchemaBehind: they are older, and to be migrated first. SchemaAhead: they are later, and name the oldest revision
    that they serve, which is later than this version's.
    """
    revision = _ask(engine, f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 - ours
    if revision == HEAD:
        return
    where = f"The database at {address(str(engine.url))} is at revision {revision or 'none'}"
    if revision is None or revision < HEAD:
        behind = SchemaNotCurrent if revision is None else SchemaBehind
        raise behind(f"{where}, and this version needs {HEAD}: run `tmdb-dagster migrate`.")
    served = _ask(engine, "SELECT oldest_revision_served()")
    if served is None or served > HEAD:
        raise SchemaAhead(
            f"{where}, of a later version, and serves versions from revision {served or revision} on; this one "
            f"is of {HEAD}: update it, and do not migrate with it."
        )


def _ask(engine: Engine, question: str) -> str | None:
    """The answer; None also where there is no such table or function."""
    try:
        with engine.begin() as connection:
            answer = connection.scalar(text(question))
    except SchemaNotCurrent:
        return None
    return None if answer is None else str(answer)


def json_parameter(value: Any) -> str:
    """A value for CAST(:parameter AS jsonb), without NUL characters, which Postgres cannot store in a text."""
    document = orjson.dumps(value).decode()
    return _NUL.sub(r"\1", document) if r"\u0000" in document else document
