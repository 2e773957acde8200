from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TIMEOUT_S = 180


def tmdb_dagster(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs `tmdb-dagster` as a user does, away from a terminal, with `variables` added to the environment."""
    return subprocess.run(
        [str(Path(sys.executable).parent / "tmdb-dagster"), *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.fixture(scope="session")
def dagster_database(database_address: Callable[[str], str], worker_id: str) -> str:
    """The address of a database for Dagster's own storage, which makes its tables at the first use."""
    return database_address(f"dagster_{worker_id}")
