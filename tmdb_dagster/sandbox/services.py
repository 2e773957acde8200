"""What the user has not set is provided here: an embedded Postgres, and the sandbox in place of TMDB."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from tmdb_dagster.errors import TmdbDagsterError
from tmdb_dagster.sandbox.postgres import database_url, start_postgres, stop_postgres
from tmdb_dagster.settings import Settings
from tmdb_dagster.warehouse.engine import check_schema, connect
from tmdb_dagster.warehouse.errors import SchemaNotCurrent
from tmdb_dagster.warehouse.origin import Origin

SANDBOX_NOTICE = (
    "No TMDB_READ_ACCESS_TOKEN or TMDB_API_KEY is set: the sandbox answers in TMDB's place, with synthetic movies."
)

_HEALTH_TIMEOUT_S = 2
_START_TIMEOUT_S = 30

# A process that is never waited for would be warned about when its handle is collected.
_started: list[subprocess.Popen[bytes]] = []


class ServiceNotStarted(TmdbDagsterError):
    """A local service did not come up."""


@dataclass(frozen=True)
class Services:
    """Settings with every address filled in, and whose movies they lead to."""

    settings: Settings
    origin: Origin


def provide_services(settings: Settings) -> Services:
    """Start what `settings` leave to us; all of it is shared by the processes of one state folder.

    Raises ServiceNotStarted.
    """
    origin: Origin = "tmdb" if settings.has_key else "sandbox"
    settings = provide_database(settings)
    if origin == "sandbox":
        url = start_sandbox(settings.tmdb_dagster_state)
        settings = settings.model_copy(
            update={
                "tmdb_api_key": SecretStr("sandbox"),
                "tmdb_api_url": f"{url}/3",
                "tmdb_image_url": f"{url}/t/p",
                "youtube_image_url": f"{url}/vi",
            }
        )
    return Services(settings, origin)


def provide_database(settings: Settings) -> Settings:
    """Fill in `database_url`: without one, an embedded database, which is kept at the current schema.

    The sandbox's movies and TMDB's have a database each.
    """
    if settings.database_url is not None:
        return settings
    name = "catalogue" if settings.has_key else "catalogue_sandbox"
    server = start_postgres(settings.tmdb_dagster_state / "postgres")
    url = database_url(server, name)
    engine = connect(url, schema=settings.database_schema)
    try:
        check_schema(engine)
    except SchemaNotCurrent:
        from tmdb_dagster.warehouse.migrate import migrate

        migrate(engine, settings.database_schema)
    finally:
        engine.dispose()
    return settings.model_copy(update={"database_url": SecretStr(url)})


def dagster_database_url(settings: Settings) -> str:
    """Where Dagster keeps runs and events: DAGSTER_DATABASE_URL, or a database of the embedded Postgres."""
    if settings.dagster_database_url is not None:
        return settings.dagster_database_url.get_secret_value()
    return database_url(start_postgres(settings.tmdb_dagster_state / "postgres"), "dagster")


def start_sandbox(state: Path) -> str:
    """Start the sandbox in the background, or find it running; returns its address, which stays the same.

    Raises ServiceNotStarted.
    """
    state.mkdir(parents=True, exist_ok=True)
    port = _sandbox_port(state / "sandbox.port")
    url = f"http://127.0.0.1:{port}"
    if _sandbox_pid(url) is not None:
        return url
    command = [sys.executable, "-m", "tmdb_dagster.sandbox", "--port", str(port)]
    command += ["--latency-ms", "30-80", "--rate-limit", "40/10s"]
    with (state / "sandbox.log").open("ab") as log:
        _started.append(
            subprocess.Popen(  # noqa: S603 - our own module
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        )
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        # Where two processes start it at once, one finds the port taken; either way it is up then.
        if _sandbox_pid(url) is not None:
            return url
        time.sleep(0.05)
    raise ServiceNotStarted(
        f"The sandbox did not start at {url}. {state / 'sandbox.log'} says why; if another program has the port, "
        f"remove {state / 'sandbox.port'}."
    )


def stop_services(state: Path) -> list[str]:
    """Stop what was started for this state folder; returns the names of what was running."""
    stopped = []
    if (state / "sandbox.port").exists():
        pid = _sandbox_pid(f"http://127.0.0.1:{_sandbox_port(state / 'sandbox.port')}")
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            stopped.append("sandbox")
    if stop_postgres(state / "postgres"):
        stopped.append("Postgres")
    return stopped


def _sandbox_port(file: Path) -> int:
    """The port that this state folder's sandbox has; chosen once, since stored image URLs name it."""
    if not file.exists():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            choice = file.with_name(f"{file.name}.{os.getpid()}")
            choice.write_text(str(probe.getsockname()[1]))
        with suppress(FileExistsError):
            file.hardlink_to(choice)  # whole or not at all, and never over another process's choice
        choice.unlink()
    return int(file.read_text())


def _sandbox_pid(url: str) -> int | None:
    """The sandbox's process, or None where it does not answer."""
    import requests

    try:
        answer = requests.get(f"{url}/_sandbox/health", timeout=_HEALTH_TIMEOUT_S).json()
    except (requests.RequestException, ValueError):
        return None
    return answer.get("pid") if answer.get("sandbox") == "tmdb_dagster" else None
