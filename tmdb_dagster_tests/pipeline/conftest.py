from __future__ import annotations

from functools import partial

import orjson
import pytest

from tmdb_dagster.pipeline import enrich
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.tmdb.transport import RetryPolicy, Transport
from tmdb_dagster_tests.pipeline.enriching import some_movies

ATTEMPTS = 3


@pytest.fixture(autouse=True)
def _soon_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are tried again as usual, but soon."""
    retry = RetryPolicy(max_attempts=ATTEMPTS, base_s=0.01)
    monkeypatch.setattr("tmdb_dagster.pipeline.tmdb.Transport", partial(Transport, retry=retry))
    monkeypatch.setattr(enrich, "_BUSY_POLL_S", 0.02)


@pytest.fixture
def co_starring(sandbox: SandboxServer) -> tuple[int, int]:
    """Two movies made to share their whole cast."""
    first, second = some_movies(sandbox, 2)
    cast = orjson.loads(sandbox.catalogue.body(603, ("credits",), None).plain)["credits"]
    for tmdb_id in (first, second):
        sandbox.faults.add(Fault(f"/movie/{tmdb_id}", "patch", body={"credits": cast}))
    return first, second
