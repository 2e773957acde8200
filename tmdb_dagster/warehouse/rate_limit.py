"""The rate limit that all threads, runs and processes on one database share."""

from __future__ import annotations

import threading
import time

from sqlalchemy import Engine, text

from tmdb_dagster.rate_limit import RateLimit

# A call counts when it reaches TMDB, some time after its permit. Its thread's next permit comes after the answer, and
# then the moment is set right; this much room is for calls whose moments are not set right yet.
MARGIN_S = 0.06

# "At most L calls in any W seconds" needs the moments of the last L calls, not a rate. The next permit is
# granted W after the L-th last call, perhaps in the future: the caller sleeps until then. One round trip, so that
# the row is not locked while the network is slow; and not waiting for the disk, since a crash may lose a permit.
_ACQUIRE = text("""
    SET LOCAL synchronous_commit = off;
    UPDATE rate_limits
    SET permits = ARRAY(
        SELECT unnest(array_replace(permits, CAST(:answered AS timestamptz), clock_timestamp())) AS moment
        ORDER BY moment
    )
    WHERE name = 'tmdb';
    UPDATE rate_limits
    SET permits = permits[greatest(1, cardinality(permits) - :calls + 2):] || greatest(
        clock_timestamp(),
        blocked_until,
        permits[cardinality(permits) - :calls + 1] + make_interval(secs => :seconds)
    )
    WHERE name = 'tmdb'
    RETURNING permits[cardinality(permits)] AS moment,
        extract(epoch FROM permits[cardinality(permits)] - clock_timestamp())::float8 AS wait
""")
_BACK_OFF = text("""
    UPDATE rate_limits
    SET blocked_until = greatest(blocked_until, clock_timestamp() + make_interval(secs => :seconds))
    WHERE name = 'tmdb'
""")


class SharedRateLimiter:
    """Lets at most `limit.calls` through in any `limit.seconds`, over all processes on this database.

    A `tmdb_dagster.tmdb.transport.RateLimiter`. A thread asks for its next permit when its last call is answered.
    """

    def __init__(self, engine: Engine, limit: RateLimit) -> None:
        self._engine = engine
        self._parameters = {"calls": limit.calls, "seconds": limit.seconds + MARGIN_S}
        self._resume_at = 0.0
        self._mine = threading.local()
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO rate_limits (name) VALUES ('tmdb') ON CONFLICT DO NOTHING"))

    def acquire(self) -> None:
        """Wait until one call may be sent."""
        while True:
            resume_at = self._permit()
            while (pause := max(resume_at, self._resume_at) - time.monotonic()) > 0:
                time.sleep(pause)
            # A refusal that came meanwhile outdated the permit: used late, it would exceed the next window.
            if self._resume_at <= resume_at:
                return

    def _permit(self) -> float:
        """Take the next permit; returns when it holds, by time.monotonic."""
        with self._engine.begin() as connection:
            # A thread that asks again has had its answer: its last call reached TMDB before this moment.
            answered = getattr(self._mine, "moment", None)
            permit = connection.execute(_ACQUIRE, {**self._parameters, "answered": answered}).one()
        self._mine.moment = permit.moment
        return time.monotonic() + float(permit.wait)

    def back_off(self, seconds: float) -> None:
        """TMDB refused a call: nobody sends for so long."""
        self._resume_at = max(self._resume_at, time.monotonic() + seconds)
        with self._engine.begin() as connection:
            connection.execute(_BACK_OFF, {"seconds": seconds})
