"""The rate limit that all threads, runs and processes on one database share."""

from __future__ import annotations

import time

from sqlalchemy import Engine, text

from tmdb_dagster.settings import RateLimit

# Calls take different times to reach the server: without this much room, the first of a window could
# arrive late and the next window's early.
MARGIN_S = 0.1

# "At most L calls in any W seconds" needs the moments of the last L permits, not a rate. The next one is
# granted W after the L-th last, perhaps in the future: the caller sleeps until then.
_ACQUIRE = text("""
    UPDATE rate_limits
    SET permits = permits[greatest(1, cardinality(permits) - :calls + 2):] || greatest(
        clock_timestamp(),
        blocked_until,
        permits[cardinality(permits) - :calls + 1] + make_interval(secs => :seconds)
    )
    WHERE name = 'tmdb'
    RETURNING extract(epoch FROM permits[cardinality(permits)] - clock_timestamp())::float8
""")
_BACK_OFF = text("""
    UPDATE rate_limits
    SET blocked_until = greatest(blocked_until, clock_timestamp() + make_interval(secs => :seconds))
    WHERE name = 'tmdb'
""")
# Waiting for the disk at every permit would cost more than a lost permit after a crash.
_NO_SYNC = text("SET LOCAL synchronous_commit = off")


class SharedRateLimiter:
    """Lets at most `limit.calls` through in any `limit.seconds`, over all processes on this database.

    A `tmdb_dagster.tmdb.transport.RateLimiter`.
    """

    def __init__(self, engine: Engine, limit: RateLimit) -> None:
        self._engine = engine
        self._parameters = {"calls": limit.calls, "seconds": limit.seconds + MARGIN_S}
        self._resume_at = 0.0
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
            connection.execute(_NO_SYNC)
            wait: float = connection.execute(_ACQUIRE, self._parameters).scalar_one()
        return time.monotonic() + wait

    def back_off(self, seconds: float) -> None:
        """TMDB refused a call: nobody sends for so long."""
        self._resume_at = max(self._resume_at, time.monotonic() + seconds)
        with self._engine.begin() as connection:
            connection.execute(_BACK_OFF, {"seconds": seconds})
