"""The rate limit that all threads, runs and processes on one database share."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, SimpleQueue

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from tmdb_dagster.rate_limit import RateLimit
from tmdb_dagster.warehouse.engine import ONE_MESSAGE
from tmdb_dagster.warehouse.errors import WarehouseError
from tmdb_dagster.warehouse.transaction import run_statements, run_transaction

LATE_S = 0.3
"""A permit that is used so late is none any more: the process was stopped, or has no CPU."""

MARGIN_S = LATE_S + 0.3
_LONGEST_MARGIN_S = 1.0
_CALLS_MEASURED = 40

# "At most L calls in any W seconds", as TMDB counts them, needs the moments of the last L calls, not a rate. Of each is
# noted when it reaches TMDB at the latest: some time after its permit, or when its answer began, once that is known.
# The next permit is granted W after the L-th last of these, by the limit of each run that asks, perhaps in the future:
# the caller sleeps until then. So of any L + 1 calls the first has arrived W before the last was permitted.
#
# The margin from permit to arrival is MARGIN_S, or as long as the process's last calls took to their answers.
# One round trip asks and tells what was answered, so that the row is not locked while the network is slow. A permit is
# on the disk before it is used: a server that forgot some in a crash would grant them once more.
#
# The database's clock may be set back, or be another's after a failover: what was noted moves with it. A limit that
# nobody has asked by for three windows is forgotten; one that is new knows of the calls that those before it kept.
_NOTED = """
    permits = ARRAY(
        SELECT coalesce(
            clock_timestamp() - make_interval(secs => ago),
            permit - greatest(interval '0', r.granted_at - clock_timestamp())
        ) AS moment
        FROM (
            SELECT permit, row_number() OVER (PARTITION BY permit) AS nth FROM unnest(r.permits) AS permit
        ) AS noted
        LEFT JOIN (
            SELECT permit, ago, row_number() OVER (PARTITION BY permit) AS nth
            FROM unnest(CAST(:answered AS timestamptz[]), CAST(:ago AS float8[])) AS a(permit, ago)
        ) AS answered USING (permit, nth)
        ORDER BY moment
    ),
    blocked_until = r.blocked_until - greatest(interval '0', r.granted_at - clock_timestamp()),
    granted_at = least(r.granted_at, clock_timestamp())
"""
_TOLD = f"UPDATE rate_limits r SET {_NOTED} WHERE name = 'tmdb'"  # noqa: S608 - a constant
_ACQUIRE = text(f"""
    UPDATE rate_limits r SET
        {_NOTED},
        limits = (
            SELECT jsonb_agg(to_jsonb(l)) FROM (
                SELECT calls, seconds, max(least(asked_at, clock_timestamp())) AS asked_at FROM (
                    SELECT calls, seconds, asked_at FROM jsonb_to_recordset(r.limits)
                        AS n(calls integer, seconds float8, asked_at timestamptz)
                    UNION ALL
                    SELECT :calls, CAST(:seconds AS float8), clock_timestamp()
                ) AS asked
                WHERE asked_at > clock_timestamp() - make_interval(secs => 3 * seconds)
                GROUP BY calls, seconds
            ) AS l
        )
    WHERE name = 'tmdb';
    UPDATE rate_limits r SET
        granted_at = clock_timestamp(),
        permits = (
            SELECT r.permits[greatest(1, cardinality(r.permits) - max(l.calls) + 2):] || (
                greatest(
                    clock_timestamp(),
                    r.blocked_until,
                    max(r.permits[cardinality(r.permits) - l.calls + 1] + make_interval(secs => l.seconds))
                ) + make_interval(secs => :margin)
            )
            FROM jsonb_to_recordset(r.limits) AS l(calls integer, seconds float8)
        )
    WHERE name = 'tmdb'
    RETURNING permits[cardinality(permits)] AS noted,
        extract(epoch FROM permits[cardinality(permits)] - clock_timestamp())::float8 - :margin AS wait
""")  # noqa: S608 - a constant
_BACK_OFF = text(f"""
    {_TOLD};
    UPDATE rate_limits
    SET blocked_until = greatest(blocked_until, clock_timestamp() + make_interval(secs => :seconds))
    WHERE name = 'tmdb'
    RETURNING name
""")  # noqa: S608 - a constant
_MAKE = text("INSERT INTO rate_limits (name) VALUES ('tmdb') ON CONFLICT DO NOTHING")


@dataclass(frozen=True)
class _Permit:
    noted: datetime
    """When its call reaches TMDB at the latest, by the database's clock: by that it is known there."""
    holds_at: float
    """From when on it holds, by time.monotonic."""


class _LastPermit(threading.local):
    permit: _Permit


class SharedRateLimiter:
    """Lets at most `limit.calls` through in any `limit.seconds`, over all processes on this database.

    Where runs have different limits, each call keeps to all of them. A `tmdb_dagster.tmdb.transport.RateLimiter`.
    """

    def __init__(self, engine: Engine, limit: RateLimit) -> None:
        self._engine = engine
        self._limit: dict[str, object] = {"calls": limit.calls, "seconds": limit.seconds}
        self._resume_at = 0.0
        self._mine = _LastPermit()
        self._took_s = deque[float](maxlen=_CALLS_MEASURED)
        self._answered = SimpleQueue[tuple[datetime, float]]()
        run_transaction(engine, Connection.execute, _MAKE)

    def acquire(self) -> None:
        """Wait until one call may be sent. Raises DatabaseUnavailable."""
        while True:
            permit = self._permit()
            while (pause := max(permit.holds_at, self._resume_at) - time.monotonic()) > 0:
                time.sleep(pause)
            # A refusal that came meanwhile outdated the permit: used late, it would exceed the next window.
            if self._resume_at <= permit.holds_at and time.monotonic() - permit.holds_at < LATE_S:
                self._mine.permit = permit
                return

    def answered(self) -> None:
        """The answer to this thread's call has begun, or there will be none."""
        now, permit = time.monotonic(), self._mine.permit
        self._took_s.append(now - permit.holds_at)
        self._answered.put((permit.noted, now))

    def close(self) -> None:
        """Tell other processes of the last answers; where the database is away, these calls count as under way."""
        with suppress(WarehouseError, DBAPIError), self._engine.connect() as connection:
            connection.execution_options(**ONE_MESSAGE).execute(text(_TOLD), self._news())

    def _news(self) -> dict[str, object]:
        """Which calls were answered since the last news, and how many seconds ago."""
        answered: list[tuple[datetime, float]] = []
        with suppress(Empty):
            while True:
                answered.append(self._answered.get_nowait())
        now = time.monotonic()
        return {"answered": [noted for noted, _ in answered], "ago": [now - at for _, at in answered]}

    def _permit(self) -> _Permit:
        margin_s = min(max([MARGIN_S, *self._took_s]), _LONGEST_MARGIN_S)
        parameters = self._limit | {"margin": margin_s} | self._news()
        # Done twice, it has taken a permit that nobody uses.
        granted = run_statements(self._engine, _ACQUIRE, parameters)
        return _Permit(granted.noted, time.monotonic() + granted.wait)

    def back_off(self, seconds: float) -> None:
        """TMDB refused a call: nobody gets a permit for so long, and nobody here sends. Raises DatabaseUnavailable."""
        self._resume_at = max(self._resume_at, time.monotonic() + seconds)
        run_statements(self._engine, _BACK_OFF, self._news() | {"seconds": seconds})
