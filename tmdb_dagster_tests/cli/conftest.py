from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tmdb_dagster.settings import REPOSITORY, Settings

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


@pytest.fixture(autouse=True, scope="session")
def _no_dotenv() -> None:
    # The commands read it wherever they are started, and a key in it would lead them to TMDB.
    dotenv = REPOSITORY / ".env"
    names = {name.upper() for name in Settings.model_fields}
    if dotenv.exists() and names & {line.partition("=")[0].strip() for line in dotenv.read_text("utf8").splitlines()}:
        pytest.skip("the repository has a .env file with settings")


@pytest.fixture(scope="session")
def dagster_database(database_address: Callable[[str], str], worker_id: str) -> str:
    """The address of a database for Dagster's own storage, which makes its tables at the first use."""
    return database_address(f"dagster_{worker_id}")
