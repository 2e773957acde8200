from __future__ import annotations

from functools import partial

import pytest

from tmdb_dagster.pipeline import enrich
from tmdb_dagster.tmdb.transport import RetryPolicy, Transport

ATTEMPTS = 3


@pytest.fixture(autouse=True)
def _soon_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are tried again as usual, but soon."""
    retry = RetryPolicy(max_attempts=ATTEMPTS, base_s=0.01)
    monkeypatch.setattr("tmdb_dagster.pipeline.tmdb.Transport", partial(Transport, retry=retry))
    monkeypatch.setattr(enrich, "_BUSY_POLL_S", 0.02)
