"""The rate limit that all threads, runs and processes on one database share."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, SimpleQueue
from uuid import uuid4

from sqlalchemy import Connection, Engine, text

from tmdb_dagster.rate_limit import RateLimit
from tmdb_dagster.warehouse.transaction import run_transaction

# A call counts when it reaches TMDB, some time after its permit, and the next but `calls` may be faster on its way.
# How much that can be is measured: the spread of the times from permit to answer. It is never less than this, and this
# long for a process that has not measured yet, whose first calls are its slowest.
MARGIN_S = 0.06
FIRST_MARGIN_S = 0.3
LONGEST_MARGIN_S = 1.0
_CALLS_MEASURED = 40
_CALLS_TO_JUDGE_BY = 10

LATE_S = 0.5
"""A permit that is used so late is none any more: the process was stopped, or has no CPU."""

# "At most L calls in any W seconds" needs the moments of the last L calls, not a rate. The next permit is granted W
# after the L-th last call, by the limit of each run that asks, perhaps in the future: the caller sleeps until then. One
# round trip, so that the row is not locked while the network is slow. A permit is on the disk before it is used: a
# server that forgot some in a crash would grant them once more.
#
# The database's clock may be set back, or be another's after a failover: what was noted moves with it. A call that was
# answered counts from its answer, of which the process's next question tells, or its end. The margin is the longest of
# all processes, for the calls of one may be slower than those of the one that asks. A limit or margin that nobody has
# asked by for three windows is forgotten; that of a process which had not measured, when it has, or ends.
_PERMITS = """
    permits = ARRAY(
        SELECT coalesce(
            clock_timestamp() - make_interval(secs => (
                SELECT min(ago)
                FROM unnest(CAST(:answered AS timestamptz[]), CAST(:ago AS float8[])) AS a(answered, ago)
                WHERE answered = permit
            )),
            permit
        ) - greatest(interval '0', r.granted_at - clock_timestamp()) AS moment
        FROM unnest(r.permits) AS permit
        ORDER BY moment
    )
"""
_CLOSE = text(f"""
    UPDATE rate_limits r SET
        {_PERMITS},
        limits = (
            SELECT coalesce(jsonb_agg(l), '[]') FROM jsonb_array_elements(r.limits) AS l
            WHERE l ->> 'unmeasured' IS DISTINCT FROM :process
        )
    WHERE name = 'tmdb'
""")  # noqa: S608 - a constant
_ACQUIRE = text(f"""
    UPDATE rate_limits r SET
        {_PERMITS},
        blocked_until = r.blocked_until - greatest(interval '0', r.granted_at - clock_timestamp()),
        limits = (
            SELECT jsonb_agg(to_jsonb(l)) FROM (
                SELECT calls, seconds, margin, unmeasured, max(least(asked_at, clock_timestamp())) AS asked_at FROM (
                    SELECT calls, seconds, margin, unmeasured, asked_at FROM jsonb_to_recordset(r.limits)
                        AS n(calls integer, seconds float8, margin float8, unmeasured text, asked_at timestamptz)
                    WHERE unmeasured IS DISTINCT FROM :process
                    UNION ALL
                    SELECT :calls, CAST(:seconds AS float8), CAST(:margin AS float8),
                        CASE WHEN NOT :measured THEN :process END, clock_timestamp()
                ) AS asked
                WHERE asked_at > clock_timestamp() - make_interval(secs => 3 * seconds)
                GROUP BY calls, seconds, margin, unmeasured
            ) AS l
        )
    WHERE name = 'tmdb';
    UPDATE rate_limits r SET
        granted_at = clock_timestamp(),
        permits = (
            SELECT r.permits[greatest(1, cardinality(r.permits) - max(l.calls) + 2):] || greatest(
                clock_timestamp(),
                r.blocked_until,
                max(r.permits[cardinality(r.permits) - l.calls + 1] + make_interval(secs => l.seconds))
                    + make_interval(secs => max(l.margin))
            )
            FROM jsonb_to_recordset(r.limits) AS l(calls integer, seconds float8, margin float8)
        )
    WHERE name = 'tmdb'
    RETURNING permits[cardinality(permits)] AS moment,
        extract(epoch FROM permits[cardinality(permits)] - clock_timestamp())::float8 AS wait
""")  # noqa: S608 - a constant
_BACK_OFF = text("""
    UPDATE rate_limits
    SET blocked_until = greatest(blocked_until, clock_timestamp() + make_interval(secs => :seconds))
    WHERE name = 'tmdb'
""")
_MAKE = text("INSERT INTO rate_limits (name) VALUES ('tmdb') ON CONFLICT DO NOTHING")


@dataclass(frozen=True)
class _Permit:
    moment: datetime
    """By the database's clock, by which it is known there."""
    holds_at: float
    """The same by time.monotonic."""


class _LastPermit(threading.local):
    permit: _Permit


class SharedRateLimiter:
    """Lets at most `limit.calls` through in any `limit.seconds`, over all processes on this database.

    Where runs have different limits, each call keeps to all of them. A `tmdb_dagster.tmdb.transport.RateLimiter`.
    """

    def __init__(self, engine: Engine, limit: RateLimit) -> None:
        self._engine = engine
        self._limit: dict[str, object] = {"calls": limit.calls, "seconds": limit.seconds}
        self._process = uuid4().hex
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
        self._answered.put((permit.moment, now))

    def close(self) -> None:
        """Tell other processes of the last answers, which then need no margin. Raises DatabaseUnavailable."""
        run_transaction(self._engine, Connection.execute, _CLOSE, self._news() | {"process": self._process})

    def _margin(self) -> dict[str, object]:
        """The margin in seconds, and whether it was measured."""
        took = list(self._took_s)
        measured = len(took) >= _CALLS_TO_JUDGE_BY
        least = MARGIN_S if measured else FIRST_MARGIN_S
        spread = max(took) - min(took) if took else 0.0
        # In tenths of a second, for each that is different is kept.
        margin = min(LONGEST_MARGIN_S, least if spread <= least else math.ceil(spread * 10) / 10)
        return {"margin": margin, "measured": measured, "process": self._process}

    def _news(self) -> dict[str, object]:
        """The permits whose calls were answered since the last news, and how many seconds ago."""
        answered: list[tuple[datetime, float]] = []
        with suppress(Empty):
            while True:
                answered.append(self._answered.get_nowait())
        now = time.monotonic()
        return {"answered": [moment for moment, _ in answered], "ago": [now - at for _, at in answered]}

    def _permit(self) -> _Permit:
        parameters = self._limit | self._margin() | self._news()
        moment, wait = run_transaction(self._engine, _granted, parameters)
        return _Permit(moment, time.monotonic() + wait)

    def back_off(self, seconds: float) -> None:
        """TMDB refused a call: nobody sends for so long. Raises DatabaseUnavailable."""
        self._resume_at = max(self._resume_at, time.monotonic() + seconds)
        run_transaction(self._engine, Connection.execute, _BACK_OFF, {"seconds": seconds})


def _granted(connection: Connection, parameters: dict[str, object]) -> tuple[datetime, float]:
    row = connection.execute(_ACQUIRE, parameters).one()
    return row.moment, float(row.wait)
