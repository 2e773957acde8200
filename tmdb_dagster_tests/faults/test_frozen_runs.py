"""A run whose machine freezes inside a transaction holds up no other run for a minute, and wakes to no harm."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine

from tmdb_dagster.errors import TmdbDagsterError
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import Settings
from tmdb_dagster_tests.database_proxy import Plan, Proxy
from tmdb_dagster_tests.faults.conftest import LIMIT, MOVIES, ingest
from tmdb_dagster_tests.faults.test_postgres import INGEST_STEPS
from tmdb_dagster_tests.warehouse.database import execute, value

WITHIN_S = 60
ALWAYS = 1_000_000


@pytest.fixture(scope="module")
def next_sandbox() -> Iterator[SandboxServer]:
    """What the next run asks, so that its calls are told from those of the frozen one."""
    with SandboxServer(movies=2000) as server:
        yield server


@contextmanager
def _frozen_at(step: str, through_the_proxy: Settings, proxy: Proxy) -> Iterator[None]:
    """A whole ingest whose connections freeze, all of them, at this step; at the end it wakes, and finds them cut."""
    words, after = INGEST_STEPS[step]
    plan = proxy.arm(Plan(words, "freeze", after, times=ALWAYS))
    ended: list[TmdbDagsterError | None] = []

    def run() -> None:
        try:
            ingest(through_the_proxy, "frozen")
            ended.append(None)
        except TmdbDagsterError as error:
            ended.append(error)

    frozen = threading.Thread(target=run)
    frozen.start()
    assert plan.struck.wait(WITHIN_S)
    proxy.arm(Plan(b"", "freeze", times=ALWAYS))
    yield
    assert not ended
    proxy.disarm()
    proxy.cut_all()
    frozen.join(2 * WITHIN_S)
    assert len(ended) == 1, "it ends, by itself, with none but an error of ours"


@pytest.mark.parametrize("step", ["a permit", "claim", "write", "an early commit", "a late commit"])
def test_the_next_run_makes_its_first_call_within_a_minute(
    step: str,
    *,
    settings: Settings,
    through_the_proxy: Settings,
    proxy: Proxy,
    engine: Engine,
    next_sandbox: SandboxServer,
    check: Callable[[], None],
) -> None:
    next_sandbox.reset()
    first_call_s: list[float] = []

    def watch(start: float) -> None:
        while not next_sandbox.stats.calls and time.monotonic() - start < 2 * WITHIN_S:
            time.sleep(0.05)
        first_call_s.append(time.monotonic() - start)

    with _frozen_at(step, through_the_proxy, proxy):
        watching = threading.Thread(target=watch, args=(time.monotonic(),))
        watching.start()
        after_it = {"tmdb_rate_limit": LIMIT, "tmdb_api_url": next_sandbox.api_url}
        ingest(settings.model_copy(update=after_it), "next")
        watching.join()

    print(f"{step}: the first call after {first_call_s[0]:.1f} s")  # noqa: T201 - the figure for docs/reliability.md
    assert first_call_s[0] < WITHIN_S
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'complete'") == MOVIES
    execute(engine, "UPDATE run_leases SET expires_at = clock_timestamp()")  # what half a minute does
    check()
