"""Postgres is stopped for two seconds, or crashes, while runs are at work: they go on, and lose nothing."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.services.postgres import database_url, remove_postgres, start_postgres, stop_postgres
from tmdb_dagster.settings import Settings
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster.warehouse.migrate import migrate
from tmdb_dagster_tests.faults.conftest import LIMIT, MOVIES, assert_complete, ingest, refresh
from tmdb_dagster_tests.warehouse.database import execute, note_writes, rows, value

AFTER_CALLS = 8
OFF_S = 2.0


class Server:
    """A Postgres of the test's own, with a catalogue."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "postgres"
        self.url = database_url(start_postgres(self.folder), "catalogue")
        self.engine: Engine = connect(self.url)
        migrate(self.engine)
        note_writes(self.engine)

    def started_at(self) -> object:
        """When the server, or all its processes but the first, last started."""
        return value(self.engine, "SELECT min(backend_start) FROM pg_stat_activity WHERE backend_type = 'checkpointer'")

    def restart(self) -> None:
        """Stop it, and start it two seconds later."""
        stop_postgres(self.folder)
        time.sleep(OFF_S)
        start_postgres(self.folder)

    def crash(self) -> None:
        """Kill one of its processes, whereupon it ends all, and recovers from its log."""
        os.kill(value(self.engine, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'"), signal.SIGKILL)


@pytest.fixture
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="tmdb-test-"))  # pytest's own folders let no other user in
    server = Server(folder)
    yield server
    server.engine.dispose()
    stop_postgres(server.folder)
    remove_postgres(server.folder)
    shutil.rmtree(folder)


def _disturbed(
    run: Callable[[], None], server: Server, harm: Callable[[Server], None], sandbox: SandboxServer
) -> list[BaseException]:
    """Let a run begin, do harm to Postgres in the midst of it, and wait for the end; returns what it raised."""
    raised: list[BaseException] = []
    sandbox.reset()
    sandbox.faults.add(Fault("/movie/[0-9]+", "delay", delay_s=0.2))

    def target() -> None:
        try:
            run()
        except Exception as error:  # noqa: BLE001 - the test shows it
            raised.append(error)

    before = server.started_at()
    running = threading.Thread(target=target)
    running.start()
    while sandbox.stats.calls < AFTER_CALLS and running.is_alive():
        time.sleep(0.01)
    assert running.is_alive(), raised
    harm(server)
    running.join(120)
    assert not running.is_alive()
    _until_up(server)
    assert server.started_at() != before, "it was restarted"
    return raised


def _until_up(server: Server) -> None:
    server.engine.dispose()
    start_postgres(server.folder)


@pytest.mark.parametrize("harm", [Server.restart, Server.crash], ids=["stopped for two seconds", "crashed"])
def test_runs_outlive_a_restart_of_postgres(
    harm: Callable[[Server], None],
    *,
    settings: Settings,
    server: Server,
    sandbox: SandboxServer,
    check: Callable[[str], None],
) -> None:
    changes = {"database_url": SecretStr(server.url), "tmdb_rate_limit": LIMIT, "tmdb_concurrency": 2}
    ours = settings.model_copy(update=changes)

    assert _disturbed(lambda: ingest(ours, "run-1"), server, harm, sandbox) == []

    assert_complete(server.engine)
    [log] = rows(server.engine, "SELECT movies_ingested, movies_failed, error_message FROM scheduled_ingestion_log")
    assert tuple(log) == (MOVIES, 0, None)
    check(server.url)
    execute(server.engine, "UPDATE works SET last_refreshed_at = last_refreshed_at - interval '40 days'")

    assert _disturbed(lambda: refresh(ours, "run-2"), server, harm, sandbox) == []

    assert_complete(server.engine, writes=2)
    assert rows(server.engine, "SELECT status, count(*) FROM refresh_queue GROUP BY 1") == [("completed", MOVIES)]
    check(server.url)
