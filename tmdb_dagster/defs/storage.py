"""Where Dagster keeps what it knows: runs, events and schedules in Postgres, files in the state folder.

The settings say where these are, so that dagster.yaml is the same on every machine.
"""

from __future__ import annotations

import select
from collections.abc import Mapping
from functools import cache
from threading import Lock
from typing import Any, ClassVar

from dagster import AssetKey, DagsterEventType, EventLogEntry, EventRecordsFilter
from dagster._core.storage.dagster_run import DagsterRun
from dagster._core.storage.defs_state.blob_storage_state_storage import UPathDefsStateStorage
from dagster._core.storage.event_log.base import PlannedMaterializationInfo
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._serdes import ConfigurableClassData
from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from dagster_postgres.utils import create_pg_engine
from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError
from upath import UPath

from tmdb_dagster.defs.code_location import executed_here
from tmdb_dagster.services.errors import ServiceNotSet

_ENDED_EARLY = (DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_CANCELED)
_RUNS_PASSED_OVER = 25
"""Of more failed runs in a row that never came to an asset, the UI shows none."""

_Storage = PostgresRunStorage | PostgresEventLogStorage | PostgresScheduleStorage


@cache
def _shared_engine(url: str) -> Engine:
    """The engine of all three storages: two connections stay open, for one statement may need both.

    Dagster's own engines open one for each statement, and an event is several.
    """
    engine = create_pg_engine(url, isolation_level="AUTOCOMMIT", pool_size=2, max_overflow=-1)
    event.listen(engine, "checkout", _require_open)
    return engine


def _require_open(connection: Any, *_: object) -> None:
    """Raise DisconnectionError, with which the pool opens another, where the server has ended the connection.

    Its last word is there to be read then, and nothing else ever is. A ping would be a question to the server before
    each statement.
    """
    ready = select.poll()
    ready.register(connection.fileno(), select.POLLIN)
    if ready.poll(0):
        raise DisconnectionError


class _Unconfigured:
    """What dagster.yaml names and the settings configure."""

    @classmethod
    def config_type(cls) -> Any:
        """No configuration of its own."""
        return {}


class _AtFirstUse:
    """A storage that asks for its database when it is first used: what only looks at definitions starts no Postgres."""

    _made_by: ClassVar[type[_Storage]]
    _opening: ClassVar[Lock] = Lock()

    def __init__(self) -> None:
        """Not the storage's own, which connects: what Dagster asks for of a storage that it does not use."""
        self._instance_weakref: Any = None
        self._event_watcher: Any = None

    def __getattr__(self, name: str) -> Any:
        """What the storage's own constructor sets. Raises ServiceNotStarted."""
        with self._opening:
            if "_engine" not in vars(self):
                from tmdb_dagster.services.provide import dagster_database_url
                from tmdb_dagster.settings import load_settings

                url = dagster_database_url(load_settings())
                made = self._made_by(url)
                vars(self).update(vars(made) | {"_engine": _shared_engine(url)} | vars(self))
        return object.__getattribute__(self, name)

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """The webserver's own engine, which keeps a connection, too: it is looked at before it is used."""
        super().optimize_for_webserver(statement_timeout, pool_recycle, max_overflow)  # type: ignore[misc]
        event.listen(self._engine, "checkout", _require_open)


class _RunStorage(_AtFirstUse, PostgresRunStorage):
    _made_by = PostgresRunStorage

    def add_run(self, dagster_run: DagsterRun) -> DagsterRun:
        """Keep a run; one of `dagster job execute` names no code location, and the UI's timeline leaves such out."""
        if dagster_run.remote_job_origin is None and (origin := executed_here(dagster_run)):
            dagster_run = dagster_run.with_job_origin(origin)
        return super().add_run(dagster_run)


class _EventLogStorage(_AtFirstUse, PostgresEventLogStorage):
    """What a failed run never came to, asset or check, stays as it was; Dagster would show all of it as failed."""

    _made_by = PostgresEventLogStorage

    def store_asset_check_event(self, event: EventLogEntry, event_id: int | None) -> None:
        """Keep what a check found, and not that it was planned, which would be taken for its last result."""
        if event.dagster_event_type != DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED:
            super().store_asset_check_event(event, event_id)

    def get_latest_planned_materialization_info(
        self, asset_key: AssetKey, partition: str | None = None
    ) -> PlannedMaterializationInfo | None:
        """The newest run that materialises an asset, or is yet to; the UI shows whether that has failed."""
        before = None
        for _ in range(_RUNS_PASSED_OVER):
            planned = EventRecordsFilter(
                DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
                asset_key=asset_key,
                asset_partitions=[partition] if partition else None,
                before_cursor=before,
            )
            newest = next(iter(self.get_event_records(planned, limit=1)), None)
            if newest is None:
                return None
            if not self._ended_before(newest.run_id, newest.event_log_entry.step_key):
                return PlannedMaterializationInfo(storage_id=newest.storage_id, run_id=newest.run_id)
            before = newest.storage_id
        return None

    def _ended_before(self, run_id: str, step_key: str | None) -> bool:
        """Whether a run has failed, or was cancelled, before it came to a step."""
        entries = self.get_logs_for_run(run_id, of_type={DagsterEventType.STEP_START, *_ENDED_EARLY})
        started = {entry.step_key for entry in entries if entry.dagster_event_type == DagsterEventType.STEP_START}
        return step_key not in started and any(entry.dagster_event_type in _ENDED_EARLY for entry in entries)


class _ScheduleStorage(_AtFirstUse, PostgresScheduleStorage):
    _made_by = PostgresScheduleStorage


class SettingsPostgresStorage(_Unconfigured, DagsterPostgresStorage):
    """DagsterPostgresStorage at the address that the settings name, or in the embedded Postgres."""

    def __init__(self, inst_data: ConfigurableClassData | None) -> None:
        self._instance_weakref = None
        self._inst_data = inst_data
        self._run_storage = _RunStorage()
        self._event_log_storage = _EventLogStorage()
        self._schedule_storage = _ScheduleStorage()

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003 - Dagster passes it by position
    ) -> SettingsPostgresStorage:
        """Dagster's entry. Raises ServiceNotSet: in production an address is a must, used or not."""
        from tmdb_dagster.services.roles import DAGSTER, require
        from tmdb_dagster.settings import load_settings

        require(load_settings(), (DAGSTER,))
        return cls(inst_data)


class StateArtifactStorage(_Unconfigured, LocalArtifactStorage):
    """LocalArtifactStorage in the state folder."""

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003 - Dagster passes it by position
    ) -> StateArtifactStorage:
        """Dagster's entry."""
        return cls(_state("dagster"), inst_data=inst_data)


class SettingsComputeLogManager(_Unconfigured, LocalComputeLogManager):
    """What runs print: in the bucket that the settings name, which every machine reads, else in the state folder.

    Where there is neither, it is on the standard error of the process alone.
    """

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003 - Dagster passes it by position
    ) -> Any:
        """Dagster's entry; returns either. Raises ServiceNotSet for a bucket without the extra `s3-logs`."""
        from tmdb_dagster.settings import load_settings

        settings = load_settings()
        if settings.compute_logs_bucket is None and not settings.keeps_files:
            return NoOpComputeLogManager(inst_data)
        if settings.compute_logs_bucket is None:
            return cls(_state("dagster", "logs"), inst_data=inst_data)
        try:
            from tmdb_dagster.defs.bucket_logs import BucketComputeLogManager
        except ModuleNotFoundError as error:
            raise ServiceNotSet(
                "COMPUTE_LOGS_BUCKET is set, and dagster-aws is not installed: install the extra `s3-logs` "
                "(pip install 'tmdb-dagster[s3-logs]')."
            ) from error
        return BucketComputeLogManager(settings, settings.compute_logs_bucket, inst_data)


class NoDefinitionsState(_Unconfigured, UPathDefsStateStorage):
    """The state of definitions that keep some: ours keep none, so that Dagster need not look for it in its database."""

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData,
        config_value: Mapping[str, Any],  # noqa: ARG003 - Dagster passes it by position
    ) -> NoDefinitionsState:
        """Dagster's entry."""
        return cls(UPath(_state("dagster", "definitions")), inst_data)

    def get_latest_defs_state_info(self) -> None:
        """None: there is no state."""


def _state(*parts: str) -> str:
    from tmdb_dagster.settings import load_settings

    return str(load_settings().tmdb_dagster_state.joinpath(*parts))
