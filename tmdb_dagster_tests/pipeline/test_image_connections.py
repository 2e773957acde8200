"""The runs of a machine share the connections to the image hosts; the judge is the host's own count of them."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tmdb_dagster.images import connections
from tmdb_dagster.pipeline import rehost
from tmdb_dagster.pipeline.errors import RunEnding
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.transform.image_plan import WantedImage
from tmdb_dagster_tests.images.pictures import jpeg
from tmdb_dagster_tests.warehouse.database import until, value

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
_LATENCY_S = 0.02


class CountingHost:
    """Answers every path with an image, and counts its connections from accepting to closing."""

    def __init__(self) -> None:
        self.open = self.peak = self.accepted = 0
        self.answered: Counter[str] = Counter()
        self._content = jpeg(92, 138)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> CountingHost:
        self._thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=100)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result()
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        until(lambda: self.open == 0, "the connections to be closed")
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.accepted += 1
        self.peak = max(self.peak, self.open)
        while request := await reader.read(10_000):
            await asyncio.sleep(_LATENCY_S)
            writer.write(_HEAD % len(self._content) + self._content)
            self.answered[request.split()[1].decode().split("/")[-1].split("-")[0]] += 1
        self.open -= 1
        writer.close()


@pytest.fixture
def host() -> Iterator[CountingHost]:
    with CountingHost() as host:
        yield host


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the runs of this machine share their connections."""
    monkeypatch.setattr(rehost, "locks_folder", lambda: tmp_path / "locks")
    return tmp_path / "locks"


@pytest.fixture
def start(
    host: CountingHost, locks: Path, start_run: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Run]:
    """Starts runs of 16 threads whose images come from the counting host."""
    monkeypatch.setattr(connections, "MAX_LIFETIME_S", 0.3)
    # On a machine that is busy elsewhere a connection may idle for a while.
    monkeypatch.setattr(connections, "IDLE_TIMEOUT_S", 60)
    changes = {
        "tmdb_image_url": f"{host.url}/t/p",
        "youtube_image_url": f"{host.url}/vi",
        "movie_images_store": "local",
        "movie_images_folder": tmp_path / "images",
        "movie_images_public_url": "http://127.0.0.1:1",
        "movie_images_concurrency": 16,
    }
    return lambda run_id: start_run(run_id, **changes)


@pytest.fixture
def other_process(locks: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of another run, which has all connections until it dies."""
    script = f"""
import time
from pathlib import Path
from tmdb_dagster.images.connections import ConnectionPool
from tmdb_dagster.images.locks import CONNECTIONS
pool = ConnectionPool(Path({str(locks)!r}), answer_timeout_s=5, networks=(), sleep=time.sleep)
held = [pool.connection() for _ in range(CONNECTIONS)]
for connection in held:
    connection.__enter__()
print("ready", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def photos(name: str, count: int) -> list[WantedImage]:
    """Cast photos of people with numbers of their own."""
    moment = datetime(2026, 11, 24, tzinfo=UTC)
    return [
        WantedImage(
            f"cast/{name}{number}.jpg", "cast", None, f"{name}{number}", f"/{name}-{number}.jpg", "w185", moment
        )
        for number in range(count)
    ]


def fetch(run: Run, images: list[WantedImage]) -> int:
    """How many were fetched."""
    assert run.rehoster is not None
    work_id = value(
        run.engine, "INSERT INTO works (tmdb_id, title) VALUES (:key, 'A') RETURNING work_id", key=images[0].key
    )
    results, _ = run.rehoster.fetch(images, shown_by=work_id)
    return sum(result.error is None for result in results)


def test_two_runs_share_at_most_20_connections(
    host: CountingHost, start: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}._LATENCY_S", 0.1)  # the connections bound them, not this machine
    first, second = start("run-1"), start("run-2")
    with ThreadPoolExecutor(2) as pool:
        done_first = pool.submit(fetch, first, photos("a", 350))
        until(lambda: host.answered["a"] > 32, "the first run to have its connections")
        assert host.peak == 16
        assert fetch(second, photos("b", 100)) == 100
        assert host.answered["a"] < 300, "the run that came later had an equal share"
        assert done_first.result() == 350

    assert host.peak == 20


def test_a_run_that_is_alone_keeps_its_connections(host: CountingHost, start: Callable[[str], Run]) -> None:
    assert fetch(start("run-1"), photos("a", 600)) == 600
    assert host.accepted <= 16


def test_a_connection_that_idles_is_closed_and_given_back(
    host: CountingHost, start: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "IDLE_TIMEOUT_S", 0.2)
    first, second = start("run-1"), start("run-2")
    assert fetch(first, photos("a", 40)) == 40
    until(lambda: host.open == 0, "idle connections to be closed")
    assert fetch(second, photos("b", 40)) == 40
    assert host.peak <= 16
    assert fetch(first, photos("c", 40)) == 40


def test_a_dead_runs_connections_come_back(
    host: CountingHost, start: Callable[[str], Run], other_process: subprocess.Popen[str]
) -> None:
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(fetch, start("run-1"), photos("a", 10))
        time.sleep(0.5)
        assert host.peak == 0, "it waits"
        other_process.send_signal(signal.SIGKILL)
        assert done.result() == 10


def test_a_run_that_ends_does_not_wait_for_a_connection(
    start: Callable[[str], Run], other_process: subprocess.Popen[str]
) -> None:
    run = start("run-1")
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(fetch, run, photos("a", 3))
        run.ending.set()
        with pytest.raises(RunEnding):
            done.result(timeout=5)
