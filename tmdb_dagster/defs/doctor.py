"""What `tmdb-dagster doctor` says of Dagster: a process of its own, since the command itself imports no Dagster.

It prints a JSON list of pairs: ok, note or problem, and a sentence.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorStatus
from dagster_postgres import DagsterPostgresStorage
from sqlalchemy import Engine

from tmdb_dagster.defs.schedules import schedules
from tmdb_dagster.defs.sensors import sensors
from tmdb_dagster.defs.storage import SettingsComputeLogManager
from tmdb_dagster.errors import TmdbDagsterError
from tmdb_dagster.services.provide import dagster_database_url
from tmdb_dagster.settings import Settings, load_settings
from tmdb_dagster.warehouse.engine import address, connect

# Its parts that the schedules, the sensors and the queue of runs need; each tells every 30 seconds that it lives.
_PARTS = ("SCHEDULER", "SENSOR", "QUEUED_RUN_COORDINATOR")
_SILENT_S = 300


def examine() -> Iterator[tuple[str, str]]:
    """Look at the bucket of what runs print, at Dagster's database, the daemon and the schedules."""
    settings = load_settings()
    if settings.compute_logs_bucket is not None:
        yield _logs(settings.compute_logs_bucket)
    try:
        url = dagster_database_url(settings)
        _reach(connect(url))
    except TmdbDagsterError as error:
        yield "problem", f"Dagster's database (DAGSTER_DATABASE_URL): {error}"
        return
    yield "ok", f"Dagster's database at {address(url)}"
    storage = DagsterPostgresStorage(url)
    yield _daemon(storage, settings)
    yield _schedules(storage)


def _logs(bucket: str) -> tuple[str, str]:
    try:
        manager = SettingsComputeLogManager.from_config_value(None, {})
    except TmdbDagsterError as error:
        return "problem", str(error)
    problem = manager.problem()
    return ("problem", problem) if problem else ("ok", f"what runs print goes to s3://{bucket}")


def _reach(engine: Engine) -> None:
    with engine.connect():
        pass
    engine.dispose()


def _daemon(storage: DagsterPostgresStorage, settings: Settings) -> tuple[str, str]:
    heartbeats = storage.run_storage.get_daemon_heartbeats()
    now = time.time()
    silent = [part for part in _PARTS if part not in heartbeats or now - heartbeats[part].timestamp > _SILENT_S]
    if not silent:
        return "ok", "the daemon lives"
    told = (
        f"the daemon has not told for {_SILENT_S // 60} minutes that it lives ({', '.join(silent)}), and without it no "
        "schedule or sensor starts anything: run `tmdb-dagster serve daemon`, or `tmdb-dagster ui`."
    )
    if settings.dagster_database_url is None:
        return "note", told  # on a laptop it lives while the UI is open
    # Before the first one was started, that may be the next step, but for a deployment that runs.
    return "problem" if heartbeats or settings.tmdb_dagster_env == "production" else "note", told


def _schedules(storage: DagsterPostgresStorage) -> tuple[str, str]:
    """Whether somebody has switched one off: all are on by default."""
    states = [
        state
        for kind in (InstigatorType.SCHEDULE, InstigatorType.SENSOR)
        for state in storage.schedule_storage.all_instigator_state(instigator_type=kind)
    ]
    stopped = {state.name for state in states if state.status is InstigatorStatus.STOPPED}
    if off := sorted(stopped & {*(one.name for one in schedules), *(one.name for one in sensors)}):
        return "problem", f"switched off: {', '.join(off)}. Switch it on in the UI, under Automation."
    return "ok", "all schedules and sensors are on"


if __name__ == "__main__":
    json.dump(list(examine()), sys.stdout)
