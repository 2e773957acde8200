from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from tmdb_dagster.rate_limit import RateLimit
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.tmdb.transport import Transport
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster.warehouse.rate_limit import LATE_S, MARGIN_S, SharedRateLimiter
from tmdb_dagster_tests.warehouse.database import execute, rows, value

LIMIT = RateLimit(20, 2)
SHORT = RateLimit(5, 0.2)

# A worker of its own process: calls as fast as the limiter lets it, once its standard input says so.
WORKER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from tmdb_dagster.rate_limit import RateLimit
from tmdb_dagster.tmdb.transport import Transport
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster.warehouse.rate_limit import SharedRateLimiter

url, api_url, calls = sys.argv[1:]
limiter = SharedRateLimiter(connect(url), RateLimit(20, 2))
transport = Transport(api_url, api_key="test-key", limiter=limiter, on_call=lambda call: None)
print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(4) as pool:
    list(pool.map(lambda _: transport.get("/configuration"), range(int(calls))))
"""


@pytest.fixture(scope="module")
def limited_server() -> Iterator[SandboxServer]:
    with SandboxServer(movies=2, rate_limit="20/2s") as server:
        yield server


@pytest.fixture
def limited(limited_server: SandboxServer) -> SandboxServer:
    """A sandbox that refuses what is beyond 20 calls in 2 s, and counts it."""
    limited_server.reset()
    return limited_server


def call(transport: Transport, times: int, *, threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: transport.get("/configuration"), range(times)))


def permits(engine: Engine) -> list[float]:
    """When the calls that count reach the server at the latest, as seconds since 1970."""
    sql = "SELECT extract(epoch FROM unnest(permits))::float8 FROM rate_limits"
    return [row[0] for row in rows(engine, sql)]


def test_threads_together_stay_within_the_limit(engine: Engine, limited: SandboxServer) -> None:
    limiter = SharedRateLimiter(engine, LIMIT)
    with Transport(limited.api_url, api_key="test-key", limiter=limiter, on_call=lambda _: None) as transport:
        call(transport, 35, threads=8)

    assert (limited.stats.calls, limited.stats.violations) == (35, 0)
    assert limited.stats.peak_1s == 20, "within a window there is no reason to wait"


def test_processes_together_stay_within_the_limit(catalogue_url: str, limited: SandboxServer) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, catalogue_url, limited.api_url, "10"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert (limited.stats.calls, limited.stats.violations) == (30, 0)


def test_without_the_limiter_the_server_would_refuse(limited: SandboxServer) -> None:
    class Unheeding:
        def acquire(self) -> None: ...

        def answered(self) -> None: ...

        def back_off(self, seconds: float) -> None: ...

        def close(self) -> None: ...

    with Transport(
        limited.api_url, api_key="test-key", limiter=Unheeding(), on_call=lambda _: None, sleep=lambda _: None
    ) as transport:
        with pytest.raises(Exception, match="429"):
            call(transport, 30, threads=8)
        assert limited.stats.violations > 0


def test_nobody_waits_longer_than_the_limit_demands(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each permit is due at once, or exactly one window after the one that it must follow."""
    slept: list[float] = []
    real_sleep = time.sleep

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        real_sleep(seconds)

    monkeypatch.setattr("tmdb_dagster.warehouse.rate_limit.time.sleep", sleep)
    limiter = SharedRateLimiter(engine, SHORT)
    for number in range(18):
        slept.clear()
        before = permits(engine)
        limiter.acquire()
        if number >= SHORT.calls and slept:
            assert permits(engine)[-1] - before[-SHORT.calls] == pytest.approx(SHORT.seconds + MARGIN_S, abs=1e-5)
        else:
            assert slept == []

    assert len(permits(engine)) == SHORT.calls, "no more permits are kept than the limit needs"


def test_a_crash_of_the_server_forgets_no_permit(engine: Engine) -> None:
    limiter = SharedRateLimiter(engine, LIMIT)
    for _ in range(10):
        before = value(engine, "SELECT pg_current_wal_insert_lsn()")
        limiter.acquire()
        on_disk = "SELECT pg_current_wal_flush_lsn() > CAST(:before AS pg_lsn)"
        assert value(engine, on_disk, before=before), "it is used before it is on the disk"


def test_a_call_counts_from_its_answer_on(engine: Engine) -> None:
    """It may have reached the server as late as that."""
    limiter = SharedRateLimiter(engine, RateLimit(2, 0.1))
    limiter.acquire()
    time.sleep(0.1)  # the call
    limiter.answered()
    answered = value(engine, "SELECT extract(epoch FROM clock_timestamp())::float8")
    limiter.acquire()
    limiter.acquire()

    assert permits(engine)[-1] >= answered + 0.1


def test_a_back_off_holds_everyone_on_the_database(catalogue_url: str, engine: Engine) -> None:
    other = connect(catalogue_url)
    refused, innocent = SharedRateLimiter(engine, LIMIT), SharedRateLimiter(other, LIMIT)
    innocent.acquire()

    refused.back_off(0.5)
    blocked_until = value(engine, "SELECT extract(epoch FROM blocked_until)::float8 FROM rate_limits")
    innocent.acquire()

    assert permits(engine)[-1] == pytest.approx(blocked_until + MARGIN_S, abs=1e-5)
    assert value(engine, "SELECT extract(epoch FROM clock_timestamp())::float8") >= blocked_until
    other.dispose()


def test_a_shorter_back_off_does_not_end_a_longer_one(engine: Engine) -> None:
    limiter = SharedRateLimiter(engine, LIMIT)
    limiter.back_off(60)
    longer = value(engine, "SELECT blocked_until FROM rate_limits")

    limiter.back_off(0)

    assert value(engine, "SELECT blocked_until FROM rate_limits") == longer


def test_after_a_refusal_threads_still_stay_within_the_limit(engine: Engine, limited: SandboxServer) -> None:
    """Those who waited with a permit in hand, and those who come after the refusal, share one window."""
    limiter = SharedRateLimiter(engine, LIMIT)
    limited.faults.add(Fault("/configuration", "status", 429, headers={"Retry-After": "3"}, times=1))
    transport = Transport(limited.api_url, api_key="test-key", limiter=limiter, on_call=lambda _: None, connections=30)
    with transport:
        # The window is used up but for one: its call is refused while all others hold permits of the next.
        for _ in range(LIMIT.calls - 1):
            limiter.acquire()
        call(transport, 30, threads=30)

    assert limited.stats.faults_fired == 1
    assert (limited.stats.rate_limited, limited.stats.violations) == (1, 0)


def test_another_limit_takes_effect_on_what_is_stored(engine: Engine) -> None:
    for _ in range(5):
        SharedRateLimiter(engine, RateLimit(5, 0.01)).acquire()
    time.sleep(0.05)  # nobody asks by it any more
    SharedRateLimiter(engine, RateLimit(2, 0.01)).acquire()
    assert len(permits(engine)) == 2
    time.sleep(0.05)
    for _ in range(3):
        SharedRateLimiter(engine, RateLimit(4, 0.01)).acquire()
    assert len(permits(engine)) == 4


def test_of_two_limits_the_stricter_holds_for_both(engine: Engine) -> None:
    strict, loose = SharedRateLimiter(engine, RateLimit(3, 0.6)), SharedRateLimiter(engine, RateLimit(9, 0.6))
    strict.acquire()
    start = time.monotonic()
    for _ in range(5):
        loose.acquire()

    moments = permits(engine)
    assert len(moments) == 6
    assert all(later - earlier >= 0.6 for earlier, later in zip(moments, moments[3:], strict=False))
    assert time.monotonic() - start < 3, "no more than the stricter limit demands"


def test_a_clock_that_was_set_back_costs_no_wait_beyond_the_window(engine: Engine) -> None:
    """What is stored is moved an hour ahead, as a clock that is set back by an hour leaves it."""
    limiter = SharedRateLimiter(engine, SHORT)
    for _ in range(SHORT.calls):
        limiter.acquire()
    execute(
        engine,
        """UPDATE rate_limits SET granted_at = granted_at + interval '1 hour',
            permits = ARRAY(SELECT moment + interval '1 hour' FROM unnest(permits) AS moment)""",
    )
    start = time.monotonic()
    limiter.acquire()

    assert time.monotonic() - start < 2 * SHORT.seconds + 1
    moments = permits(engine)
    assert moments[-1] - moments[0] >= SHORT.seconds - 0.05, "the window is kept all the same"


def test_a_process_that_ends_when_the_clock_was_set_back_shortens_no_window(engine: Engine) -> None:
    ended, next_one = SharedRateLimiter(engine, SHORT), SharedRateLimiter(engine, SHORT)
    for _ in range(SHORT.calls):
        ended.acquire()
    ended.answered()
    execute(
        engine,
        """UPDATE rate_limits SET granted_at = granted_at + interval '10 seconds',
            permits = ARRAY(SELECT moment + interval '10 seconds' FROM unnest(permits) AS moment)""",
    )
    ended.close()
    ended.close()
    next_one.acquire()

    moments = permits(engine)
    assert moments[-1] - moments[0] >= SHORT.seconds + MARGIN_S - 0.05


def test_a_permit_that_comes_too_late_is_not_used(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was stopped while it waited would send all that it had waited for at once."""
    limiter = SharedRateLimiter(engine, SHORT)
    for _ in range(SHORT.calls):
        limiter.acquire()
    real_sleep = time.sleep
    stops = iter([LATE_S + 0.3])

    def sleep(seconds: float) -> None:
        real_sleep(seconds + next(stops, 0.0))

    monkeypatch.setattr("tmdb_dagster.warehouse.rate_limit.time.sleep", sleep)
    limiter.acquire()

    now = value(engine, "SELECT extract(epoch FROM clock_timestamp())::float8")
    assert now - permits(engine)[-1] < LATE_S


def test_a_call_without_an_answer_may_still_arrive(engine: Engine) -> None:
    """As those of a process that was killed."""
    killed, other = SharedRateLimiter(engine, RateLimit(2, 0.5)), SharedRateLimiter(engine, RateLimit(2, 0.5))
    killed.acquire()
    permitted = permits(engine)[0] - MARGIN_S
    other.acquire()
    other.answered()
    other.acquire()
    other.acquire()

    assert permits(engine)[-1] - MARGIN_S == pytest.approx(permitted + MARGIN_S + 0.5, abs=1e-5)


def test_calls_of_a_slow_process_may_arrive_as_late_as_those_before(engine: Engine) -> None:
    limiter = SharedRateLimiter(engine, RateLimit(9, 0.5))
    limiter.acquire()
    time.sleep(0.6)
    limiter.answered()
    limiter.acquire()

    assert permits(engine)[-1] - value(engine, "SELECT extract(epoch FROM clock_timestamp())::float8") >= 0.55


def test_of_calls_that_were_permitted_at_one_moment_each_is_answered_for_itself(engine: Engine) -> None:
    """As after a back-off: those that are under way still are."""
    limiter = SharedRateLimiter(engine, RateLimit(3, 5))
    limiter.back_off(1)

    def send(answered: bool) -> None:
        limiter.acquire()
        if answered:
            limiter.answered()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(send, (True, False, False)))
    limiter.close()

    first, second, third = permits(engine)
    assert first < second == third


@pytest.mark.parametrize("tell", [SharedRateLimiter.acquire, SharedRateLimiter.close], ids=["asks", "ends"])
def test_a_call_counts_from_its_answer_however_late_its_process_tells_of_it(
    engine: Engine, tell: Callable[[SharedRateLimiter], None]
) -> None:
    limiter = SharedRateLimiter(engine, RateLimit(2, 5))
    limiter.acquire()
    permitted = permits(engine)[0] - MARGIN_S
    time.sleep(0.1)
    limiter.answered()
    time.sleep(0.6)
    tell(limiter)

    assert permits(engine)[0] - permitted == pytest.approx(0.1, abs=0.1)


def test_a_steady_process_waits_hardly_longer_than_the_limit_demands(engine: Engine) -> None:
    limiter = SharedRateLimiter(engine, SHORT)
    for _ in range(6 * SHORT.calls):
        limiter.acquire()
        limiter.answered()
    before = permits(engine)[0]
    limiter.acquire()

    assert permits(engine)[-1] - MARGIN_S - before == pytest.approx(SHORT.seconds, abs=0.05)


def test_a_lock_on_the_limits_row_is_not_waited_for_for_ever(catalogue_url: str, engine: Engine) -> None:
    """The session of a machine that died in the midst of taking a permit is ended by the server."""
    limiter = SharedRateLimiter(engine, LIMIT)
    dead = connect(catalogue_url)
    with dead.connect() as connection:
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '1s'")
        connection.exec_driver_sql("SELECT FROM rate_limits FOR UPDATE")
        start = time.monotonic()
        limiter.acquire()
        assert 0.5 < time.monotonic() - start < 20
        connection.invalidate()
    dead.dispose()
