"""After runs with failures that quote them, no byte of what was written is a secret: databases, files, output."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.defs.conftest import StartJob

PASSWORD = "p@ss#w0rd/of?the[db:"
SECRETS = {
    "TMDB_API_KEY": "k3y/with+signs=0f#ours",
    "AWS_ACCESS_KEY_ID": "AKIADISTINCT0FOURS",
    "AWS_SECRET_ACCESS_KEY": "s3/secret+0f[ours]",
    "AWS_SESSION_TOKEN": "t0ken/of=ours%20",
}
WEBHOOK_PATH = "/services/T0DISTINCT/B0DISTINCT/w3bh00ksecret"
ALL = (*SECRETS.values(), PASSWORD, WEBHOOK_PATH, "w3bh00ksecret")
CONFIG = {"ops": {"ingest_candidates": {"config": {"source": "popular", "max_movies": 20, "pages_per_source": 5}}}}
MOVIE = "/movie/[0-9]+"

pytestmark = pytest.mark.long


def _forms(secret: str) -> set[bytes]:
    """A secret as texts, URLs, forms, JSON, Python, authorization headers and blobs hold it."""
    texts = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), repr(secret)[1:-1]}
    texts |= {json.dumps(secret)[1:-1], secret.lower()}
    return {text.encode() for text in texts} | {base64.b64encode(secret.encode()), secret.encode().hex().encode()}


def _dump(url: str) -> Iterator[tuple[str, bytes]]:
    """Every value of every row of every table of every schema, as bytes."""
    engine = create_engine(url, poolclass=NullPool)
    tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname !~ '^(pg_|information_)'"
    with engine.begin() as connection:
        for name in connection.scalars(text(tables)).all():
            for row in connection.execute(text(f"SELECT * FROM {name}")):
                for value in row:
                    yield name, _unpacked(value)


def _unpacked(value: object) -> bytes:
    content = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
    return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content


def _echo(code: int, secret: str) -> dict[str, object]:
    return {"status_code": code, "status_message": f"Invalid {secret} and {quote(secret, safe='')}"}


def _faults(*secrets: str) -> Iterator[Fault]:
    """TMDB says the secrets back, in errors, redirects and movies that are refused; so few that it is no outage."""
    for secret in secrets:
        echo = _echo(11, secret)
        yield Fault(MOVIE, "status", status=500, body=echo, headers={"Retry-After": "0"}, times=1)
        yield Fault(MOVIE, "status", status=400, body=echo, times=1)
        yield Fault(MOVIE, "body", body={"id": secret}, times=1)
        yield Fault(MOVIE, "html", status=502, times=1)
    location = {"Location": f"http://127.0.0.1:1/?api_key={quote(SECRETS['TMDB_API_KEY'])}"}
    yield Fault(MOVIE, "status", status=302, headers=location, times=1)
    yield Fault(MOVIE, "drop", times=2)
    yield Fault(MOVIE, "truncate", times=1)


def _refusals() -> Iterator[Fault]:
    """One fault, and then no call is allowed: the run ends with it."""
    yield Fault(MOVIE, "status", status=500, body=_echo(11, PASSWORD), headers={"Retry-After": "0"}, times=1)
    yield Fault(MOVIE, "status", status=401, body=_echo(7, SECRETS["TMDB_API_KEY"]))


def test_no_secret_is_in_anything_that_was_written(
    *,
    settings_environment: dict[str, str],
    start_job: StartJob,
    sandbox: SandboxServer,
    new_database: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    check: Callable[[], None],
) -> None:
    catalogue_url, dagster_url = settings_environment["DATABASE_URL"], new_database()
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    with_password = make_url(catalogue_url).set(password=PASSWORD)
    monkeypatch.setenv("DATABASE_URL", with_password.render_as_string(hide_password=False))
    monkeypatch.setenv("DAGSTER_DATABASE_URL", dagster_url)
    monkeypatch.setenv("ALERT_WEBHOOK_URL", f"http://127.0.0.1:1{WEBHOOK_PATH}")

    for faults, fails in ((_refusals(), True), (_faults(*ALL[:4]), False), (_faults(*ALL[4:]), False)):
        sandbox.reset()
        armed = list(faults)
        for fault in armed:
            sandbox.faults.add(fault)
        assert (start_job("weekly_ingest", CONFIG).wait(300) != 0) is fails
        assert sandbox.stats.faults_fired >= len(armed)
    assert start_job("ops_report", {}).wait(120) == 0
    check()

    written = [*_dump(catalogue_url), *_dump(dagster_url)]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    written += [(str(path.relative_to(tmp_path)), _unpacked(path.read_bytes())) for path in files]
    told = {place for place, content in written if b"Invalid [redacted]" in content}
    assert {"public.tmdb_api_logs", "public.event_logs", "output"} <= told
    assert [place for place in told if place.endswith(".err")], "compute logs"
    assert [place for place, content in written if b"What failed, and why" in content], "the report"
    for secret in ALL:
        for form in _forms(secret):
            assert [place for place, content in written if form in content] == [], form
    size = sum(len(content) for _, content in written)
    print(f"{len(written)} values and files, {size} bytes")  # noqa: T201 - the figure for docs/reliability.md
