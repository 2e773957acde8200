"""Starting and stopping: in this process, several at once, and as a program."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading

import pytest
import requests

from tmdb_dagster.sandbox.server import SandboxServer


def test_servers_run_side_by_side_and_leave_nothing_behind() -> None:
    threads = threading.active_count()
    with SandboxServer(movies=10) as one, SandboxServer(movies=10, seed=2) as two:
        assert one.api_url != two.api_url
        titles = {requests.get(f"{s.api_url}/movie/603?api_key=k", timeout=5).json()["title"] for s in (one, two)}
        assert len(titles) == 2
        assert one.stats.calls == two.stats.calls == 1
    for server in (one, two):
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{server.api_url}/movie/603", timeout=5)
    assert threading.active_count() == threads


def test_a_server_can_follow_another_on_its_port() -> None:
    with SandboxServer(movies=10) as first:
        port = int(first.api_url.split(":")[2].split("/")[0])
        assert requests.get(f"{first.api_url}/configuration?api_key=k", timeout=5).ok
    with SandboxServer(movies=10, port=port) as second:
        assert second.api_url == first.api_url
        assert requests.get(f"{second.api_url}/configuration?api_key=k", timeout=5).ok


def test_a_taken_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        SandboxServer(movies=10, port=taken.getsockname()[1])


def test_a_malformed_rate_limit_is_an_error() -> None:
    with pytest.raises(ValueError, match="written like 40/10s"):
        SandboxServer(movies=10, rate_limit="lots")


def test_latency_holds_api_calls_back_side_by_side() -> None:
    with SandboxServer(movies=10, latency_ms=(100, 120)) as server:
        waits: list[float] = []

        def call() -> None:
            answer = requests.get(f"{server.api_url}/movie/603?api_key=k", timeout=5)
            waits.append(answer.elapsed.total_seconds())

        callers = [threading.Thread(target=call) for _ in range(8)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert min(waits) >= 0.1
        # One after the other, the last would have waited 0.8 s.
        assert max(waits) < 0.7


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_program_serves_until_it_is_stopped(stop: signal.Signals) -> None:
    command = [sys.executable, "-W", "error", "-m", "tmdb_dagster.sandbox"]
    options = ["--port", "0", "--seed", "3", "--movies", "20", "--latency-ms", "1-2", "--rate-limit", "1/60s"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        address = next(word for word in program.stdout.readline().split() if word.startswith("http"))
        health = requests.get(f"{address.removesuffix('/3')}/_sandbox/health", timeout=20).json()
        assert health == {"status": "ok", "sandbox": "tmdb_dagster", "seed": 3, "pid": program.pid}
        statuses = [requests.get(f"{address}/movie/603?api_key=k", timeout=5).status_code for _ in range(2)]
        assert statuses == [200, 429]
        program.send_signal(stop)
        _, complaints = program.communicate(timeout=20)
    assert (program.returncode, complaints) == (0, "")


@pytest.mark.parametrize("options", [["--latency-ms", "slow"], ["--rate-limit", "lots"], ["--movies", "1"]])
def test_the_program_says_what_is_wrong_with_an_option(options: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tmdb_dagster.sandbox", "--port", "0", *options],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode in (1, 2)
    assert "Error:" in done.stderr
    assert "Traceback" not in done.stderr
