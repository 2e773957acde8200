"""tmdb_api_logs: written in batches by a thread of its own, so that no call waits for it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping
from contextvars import copy_context
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from tmdb_dagster.warehouse.call_figures import RunCalls, endpoint_pattern
from tmdb_dagster.warehouse.engine import json_parameter
from tmdb_dagster.warehouse.errors import ApiLogIncomplete, WarehouseError
from tmdb_dagster.warehouse.transaction import run_transaction

FLUSH_EVERY_S = 1.0
ROWS_A_FLUSH = 500

_COLUMNS = (
    "endpoint, method, http_status, query_params, response_size_bytes, response_time_ms, results_count, "
    "edge_function, tmdb_id, error_message, retry_count, metadata, created_at, endpoint_pattern"
)
_INSERT = text(
    f"INSERT INTO tmdb_api_logs ({_COLUMNS}) "  # noqa: S608 - constants only
    f"SELECT {_COLUMNS} FROM jsonb_populate_recordset(NULL::tmdb_api_logs, CAST(:rows AS jsonb))"
)

_log = logging.getLogger(__name__)


class ApiLog:
    """Takes calls from any thread and writes them every second, and the rest when it is closed."""

    def __init__(self, engine: Engine, *, job: str, run_id: str) -> None:
        self._engine = engine
        self._job = job
        self._run_id = run_id
        self._pending: deque[dict[str, Any]] = deque()
        self._flushing = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._write_until_closed,), name="api-log", daemon=True
        )
        self._thread.start()
        self.calls = RunCalls()

    def add(self, call: Mapping[str, Any]) -> None:
        """Take one call: a mapping of the table's columns. Never blocks."""
        metadata = {**call.get("metadata", {}), "run_id": self._run_id}
        pattern = endpoint_pattern(call["endpoint"])
        self._pending.append({**call, "edge_function": self._job, "metadata": metadata, "endpoint_pattern": pattern})
        self.calls.add(call)

    def _write_until_closed(self) -> None:
        while not self._closing.wait(FLUSH_EVERY_S):
            try:
                self.flush()
            except (SQLAlchemyError, WarehouseError) as error:
                # The rows stay pending; `close` raises if the last try fails, too.
                _log.warning("tmdb_api_logs could not be written; trying again", extra={"reason": str(error)})

    def flush(self) -> None:
        """Write every call taken by now. Raises what keeps it from that; the calls stay to be written."""
        with self._flushing:
            while self._pending:
                rows = [self._pending.popleft() for _ in range(min(len(self._pending), ROWS_A_FLUSH))]
                try:
                    run_transaction(self._engine, Connection.execute, _INSERT, {"rows": json_parameter(rows)})
                except BaseException:
                    self._pending.extendleft(reversed(rows))
                    raise

    def close(self) -> None:
        """Write what is left. Raises ApiLogIncomplete where that fails."""
        self._closing.set()
        self._thread.join()
        try:
            self.flush()
        except (SQLAlchemyError, WarehouseError) as error:
            raise ApiLogIncomplete(
                f"{len(self._pending)} calls of run {self._run_id} could not be written to tmdb_api_logs: {error}"
            ) from error

    def __enter__(self) -> ApiLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except ApiLogIncomplete as incomplete:
            # An error that is already on its way says more than this one.
            if error is None:
                raise
            _log.error("tmdb_api_logs is incomplete", extra={"reason": str(incomplete)})
