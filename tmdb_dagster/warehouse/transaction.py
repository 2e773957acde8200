"""Transactions that outlive a broken connection, and are done once, whatever becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

import tenacity
from sqlalchemy import Connection, Engine, Row, TextClause, text

from tmdb_dagster.warehouse.engine import ONE_MESSAGE
from tmdb_dagster.warehouse.errors import CommitUnknown, DatabaseBusy, DatabaseUnavailable

PATIENCE_S = 45.0
"""For how long a transaction is tried again. A dead session's locks are gone sooner: see SESSION_LIMITS."""

# Both work from Postgres 10 on, also where a pooler lends another session: the status is the server's.
_XID = text("SELECT txid_current_if_assigned()")
_STATUS = text("SELECT txid_status(:xid)")

_P = ParamSpec("_P")
_T = TypeVar("_T")


def run_transaction(
    engine: Engine, work: Callable[Concatenate[Connection, _P], _T], *arguments: _P.args, **named: _P.kwargs
) -> _T:
    """Do `work` in a transaction of its own; returns what it returns.

    Where the connection breaks, or another session keeps a lock, it is done again, for PATIENCE_S seconds. Where the
    answer to COMMIT is lost, the server is asked: what it has committed is not done again.

    Raises DatabaseUnavailable or DatabaseBusy when the patience is over, and at once what has another cause.
    """
    transaction = _Transaction(engine, lambda connection: work(connection, *arguments, **named))
    return _retrying()(transaction.attempt)


def run_statements(engine: Engine, statements: TextClause, parameters: Mapping[str, object]) -> Row[Any]:
    """Do statements in one message to the server, which is a transaction; returns the one row of the last of them.

    A lock is held for as long as the server works, and not while the network is slow, or this process has no CPU.
    Where the answer is lost they are done again, and may then have been done twice. Raises what run_transaction does.
    """

    def attempt() -> Row[Any]:
        with engine.connect().execution_options(**ONE_MESSAGE) as connection:
            return connection.execute(statements, parameters).one()

    return _retrying()(attempt)


def _retrying() -> tenacity.Retrying:
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type((DatabaseUnavailable, DatabaseBusy)),
        wait=tenacity.wait_random_exponential(multiplier=0.2, max=5),
        stop=tenacity.stop_after_delay(PATIENCE_S),
        reraise=True,
    )


class _Transaction(Generic[_T]):
    """One transaction, over all attempts at it."""

    def __init__(self, engine: Engine, work: Callable[[Connection], _T]) -> None:
        self._engine = engine
        self._work = work
        self._sent: tuple[int, _T] | None = None
        """Id and result of an attempt whose COMMIT was sent, while its answer is missing."""

    def attempt(self) -> _T:
        if self._sent is not None and self._was_committed(self._sent[0]):
            return self._sent[1]
        self._sent = None
        with self._engine.begin() as connection:
            result = self._work(connection)
            xid = connection.scalar(_XID)
            if xid is not None:  # else it wrote nothing
                self._sent = xid, result
        return result

    def _was_committed(self, xid: int) -> bool:
        with self._engine.begin() as connection:
            status = connection.scalar(_STATUS, {"xid": xid})
        if status == "in progress":
            raise CommitUnknown(
                "The connection to the database broke while a transaction was committed, and the database does not yet "
                "say whether it was."
            )
        return bool(status == "committed")
