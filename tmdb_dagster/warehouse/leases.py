"""Which runs are alive: a lease each, renewed while the run lives and left to expire when it dies.

A claim on a work counts as long as its run's lease does, so one renewal a run keeps all its claims. Nothing is
tied to a database session: a pooler may lend a different connection for every transaction.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from datetime import datetime, timedelta
from types import TracebackType
from typing import NamedTuple

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from tmdb_dagster.clock import uptime_s
from tmdb_dagster.warehouse.errors import WarehouseError
from tmdb_dagster.warehouse.transaction import run_transaction

LEASE_S = 25
RENEW_EVERY_S = 5

_TAKE = text(f"""
    INSERT INTO run_leases (run_id, job, expires_at)
    VALUES (:run_id, :job, clock_timestamp() + interval '{LEASE_S} seconds')
    ON CONFLICT (run_id) DO UPDATE SET expires_at = EXCLUDED.expires_at
    RETURNING expires_at - interval '{LEASE_S} seconds'
""")  # noqa: S608 - a constant

_log = logging.getLogger(__name__)


def lease_lives(run_id: str) -> str:
    """The SQL condition that the run of this column is alive; false where that is NULL."""
    return f"EXISTS (SELECT FROM run_leases l WHERE l.run_id = {run_id} AND l.expires_at > clock_timestamp())"


def _renew(connection: Connection, parameters: dict[str, str]) -> tuple[datetime, float]:
    """Take or renew a lease; returns the database's moment, and this machine's uptime right after it."""
    moment: datetime = connection.execute(_TAKE, parameters).scalar_one()
    return moment, uptime_s()


class _Renewal(NamedTuple):
    """When the database was asked and had answered, by this machine's uptime, and the moment that it told."""

    asked_at: float
    answered_at: float
    moment: datetime


class RunLease:
    """A run's lease, renewed by a thread of its own; as a context manager it is given back at the end.

    Each renewal tells the database's time, which all machines share: that is the run's clock.
    """

    def __init__(self, engine: Engine, *, run_id: str, job: str) -> None:
        self._engine = engine
        self._parameters = {"run_id": run_id, "job": job}
        self._done = threading.Event()
        self._renewing = threading.Lock()
        self._renewal: _Renewal | None = None
        self._lapses = 0
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._renew_until_done,), name="run-lease", daemon=True
        )
        self._take()
        self._thread.start()

    def _take(self) -> None:
        with self._renewing:
            before = uptime_s()
            moment, answered_at = run_transaction(self._engine, _renew, self._parameters)
            if self._renewal is not None and before - self._renewal.asked_at > LEASE_S:
                self._lapses += 1
            self._renewal = _Renewal(before, answered_at, moment)

    def now(self) -> datetime:
        """The present moment by the database's clock."""
        renewal = self._known()
        return renewal.moment + timedelta(seconds=uptime_s() - renewal.answered_at)

    def lapses(self) -> int:
        """How often the lease has expired before it was renewed; it lives now.

        While it was expired, other runs could take over what this one had claimed.
        """
        if uptime_s() - self._known().asked_at > LEASE_S:
            self._take()
        return self._lapses

    def held_since(self, lapses: int) -> bool:
        """Whether the lease has lived without a gap since there had been so many `lapses`."""
        return self.lapses() == lapses

    def _known(self) -> _Renewal:
        if self._renewal is None:
            raise TypeError("a lease is taken when it is made")
        return self._renewal

    def _renew_until_done(self) -> None:
        while not self._done.wait(RENEW_EVERY_S):
            try:
                self._take()
            except (SQLAlchemyError, WarehouseError) as error:
                # If it lasts, others take over, and the writer's own check keeps this run from overwriting.
                _log.warning("lease could not be renewed; trying again", extra={"reason": str(error)})

    def hand_over(self) -> None:
        """Stop renewing, but leave the lease to the run's next step, which has LEASE_S seconds to go on."""
        self._done.set()
        self._thread.join()
        self._take()

    def give_back(self) -> None:
        """End the lease: what the run still claims is free at once."""
        self._done.set()
        self._thread.join()
        run_transaction(
            self._engine, Connection.execute, text("DELETE FROM run_leases WHERE run_id = :run_id"), self._parameters
        )

    def __enter__(self) -> RunLease:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._done.is_set():
            self.give_back()


@contextmanager
def step_lease(engine: Engine, *, run_id: str, job: str) -> Iterator[None]:
    """The lease of a step that claims nothing. What the step before handed over is handed on to the next one."""
    with engine.begin() as connection:
        handed_over = run_id in leases(connection)
    lease = RunLease(engine, run_id=run_id, job=job)
    try:
        yield
    finally:
        if handed_over:
            lease.hand_over()
        else:
            lease.give_back()


def jobs_at_work(connection: Connection, *, but: str) -> list[str]:
    """The jobs that have a live run, `but` for this one."""
    rows = connection.scalars(
        text("SELECT DISTINCT job FROM run_leases WHERE run_id <> :but AND expires_at > clock_timestamp()"),
        {"but": but},
    )
    return sorted(rows)


def live_runs(connection: Connection, jobs: Sequence[str]) -> set[str]:
    """The runs of these jobs that are alive."""
    rows = connection.scalars(
        text("SELECT run_id FROM run_leases WHERE job = ANY(:jobs) AND expires_at > clock_timestamp()"),
        {"jobs": list(jobs)},
    )
    return set(rows)


def leases(connection: Connection) -> dict[str, bool]:
    """Of each run that has not given its lease back: whether it is alive."""
    rows = connection.execute(text("SELECT run_id, expires_at > clock_timestamp() AS alive FROM run_leases"))
    return {row.run_id: row.alive for row in rows}
