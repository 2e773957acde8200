"""Credentials reach no table, event, log or message, whatever TMDB answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from dagster import DagsterInstance, Definitions
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import REPOSITORY
from tmdb_dagster_tests.defs.events import materializations

AT_ONCE = {"Retry-After": "0"}
CONFIG = {"ops": {"ingest_candidates": {"config": {"source": "popular", "max_movies": 12, "pages_per_source": 1}}}}


def _faults(secret: str, refusal: int) -> Iterator[Fault]:
    movie = "/movie/[0-9]+"
    echo = {"status_code": 7, "status_message": f"You said {secret} and {quote(secret, safe='')}"}
    yield Fault(movie, "status", status=500, body=echo, headers=AT_ONCE, times=3)
    yield Fault(movie, "status", status=429, body=echo, headers=AT_ONCE, times=1)
    yield Fault(movie, "drop", times=2)
    yield Fault(movie, "truncate", times=1)
    yield Fault(movie, "html", times=1)
    yield Fault(movie, "status", status=302, headers={"Location": f"http://127.0.0.1:1/?api_key={secret}"}, times=1)
    yield Fault(movie, "status", status=400, body=echo, times=1)
    yield Fault(movie, "body", body=f'{{"id": "{secret}"}}', times=1)
    if refusal:
        yield Fault(movie, "status", status=refusal, body=echo)


def _all_rows(url: str) -> str:
    """Every row of every table, as text."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        tables = connection.scalars(
            text("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
        ).all()
        return "\n".join(
            str(row) for table in tables for row in connection.scalars(text(f"SELECT t::text FROM {table} t"))
        )


def _all_files(folder: Path) -> str:
    return "\n".join(path.read_text("utf8", "replace") for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("variable", "secret"),
    [
        ("TMDB_API_KEY", "distinct/k3y+0f=ours"),
        ("TMDB_READ_ACCESS_TOKEN", "eyJhbGciOiJub25lIn0.distinct-token_0f.ours"),
    ],
)
def test_credentials_are_nowhere(
    variable: str,
    secret: str,
    *,
    code_location: Definitions,
    settings_environment: dict[str, str],
    sandbox: SandboxServer,
    new_database: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    dagster_url = new_database()
    monkeypatch.delenv("TMDB_API_KEY")
    monkeypatch.setenv(variable, secret)
    monkeypatch.setenv("DAGSTER_DATABASE_URL", dagster_url)
    job = code_location.resolve_job_def("weekly_ingest")
    with DagsterInstance.from_config(str(REPOSITORY)) as instance:
        for refusal in (401, 0):
            sandbox.reset()
            for fault in _faults(secret, refusal):
                sandbox.faults.add(fault)
            result = job.execute_in_process(instance=instance, run_config=CONFIG, raise_on_error=False)
            assert result.success is (refusal == 0)
            assert sandbox.stats.faults_fired >= 11
        (shown, *_) = materializations(instance, "movies")

    catalogue, dagster = _all_rows(settings_environment["DATABASE_URL"]), _all_rows(dagster_url)
    output = "".join(capfd.readouterr())
    files = _all_files(tmp_path)
    # Each place would show what it holds.
    title = str(shown.metadata["title"].value)
    assert all(title in place for place in (catalogue, dagster))
    assert "TMDB answered 401" in catalogue
    assert all("TMDB answered 401" in place for place in (dagster, output, files))
    for place, content in {"catalogue": catalogue, "dagster": dagster, "output": output, "files": files}.items():
        assert secret not in content, place
        assert quote(secret, safe="") not in content, place
