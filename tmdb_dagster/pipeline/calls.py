"""What is told of a run's calls to TMDB."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, field

from tmdb_dagster.tmdb.transport import ApiCall
from tmdb_dagster.warehouse.api_log import ApiLog
from tmdb_dagster.warehouse.call_figures import is_failed_call

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CallRecorder:
    """Hears of every call, from any thread: keeps it in `api_log`, and logs one that failed."""

    api_log: ApiLog
    response_times: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Milliseconds of each call, by the TMDB id it asked for; taken out when the movie is settled."""

    def record(self, call: ApiCall) -> None:
        """Take one call."""
        if call.tmdb_id is not None:
            self.response_times[call.tmdb_id].append(call.response_time_ms)
        self.api_log.add(vars(call))
        if is_failed_call(vars(call)):
            _log.warning(
                "call failed",
                extra={
                    "tmdb_id": call.tmdb_id,
                    "endpoint": call.endpoint,
                    "http_status": call.http_status,
                    "attempt": call.retry_count + 1,
                    "ms": call.response_time_ms,
                    "reason": call.error_message,
                },
            )
