"""TMDB and the image hosts misbehave in every way we know; a good run later all is as it should be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tmdb_dagster.errors import TmdbDagsterError
from tmdb_dagster.sandbox.faults import REMOVE, Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import Settings
from tmdb_dagster_tests.faults.conftest import MOVIES, ingest, refresh
from tmdb_dagster_tests.warehouse.database import execute, rows, value

MOVIE = "/movie/[0-9]+"
TMDB_404 = {"success": False, "status_code": 34, "status_message": "The resource you requested could not be found."}
AT_ONCE = {"Retry-After": "0"}

TO_ALL: dict[str, dict[str, Any]] = {
    "an empty object": {"kind": "body", "body": {}},
    "success false": {"kind": "body", "body": {"success": False, "status_code": 11, "status_message": "Internal"}},
    "null": {"kind": "body", "body": None},
    "a redirect": {"kind": "status", "status": 302, "headers": {"Location": "http://127.0.0.1:1/"}},
    "407": {"kind": "html", "status": 407},
    "451": {"kind": "html", "status": 451},
    "an HTML 404": {"kind": "html", "status": 404},
    "TMDB's own 404": {"kind": "status", "status": 404, "body": TMDB_404},
    "401": {"kind": "status", "status": 401},
    "an HTML 403": {"kind": "html", "status": 403},
}
"""What a proxy, a firewall or a broken TMDB answers to every movie."""

TO_SOME: list[dict[str, Any]] = [
    {"kind": "patch", "body": {"credits": REMOVE, "videos": REMOVE}},
    {"kind": "patch", "body": {"release_date": "2019-04-12T00:00:00Z", "imdb_id": " tt9000001 ", "runtime": "101"}},
    {"kind": "patch", "body": {"title": " "}},
    {"kind": "patch", "body": {"title": "x" * 5000}},
    {"kind": "patch", "body": {"similar": {"results": [5] * 50_000}}},
    {"kind": "status", "status": 429, "headers": AT_ONCE},
    {"kind": "status", "status": 503, "headers": {"Retry-After": "-5"}},
    {"kind": "status", "status": 500, "body": {"status_code": 11, "status_message": "y" * 1_000_000}},
    {"kind": "drop"},
    {"kind": "truncate"},
    {"kind": "raw_gzip"},
    {"kind": "html"},
    {"kind": "delay", "delay_s": 1.5},
]
"""One movie's faults, each once."""


def _age(engine: Engine) -> None:
    """What weeks do: all is stale, and what failed is tried again."""
    execute(engine, "UPDATE works SET last_refreshed_at = last_refreshed_at - interval '40 days', retry_at = NULL")
    execute(engine, "UPDATE refresh_queue SET due_at = now() - interval '1 minute' WHERE status = 'queued'")


@pytest.mark.parametrize("answer", TO_ALL)
def test_the_same_answer_for_every_movie_spoils_no_catalogue(
    answer: str, *, settings: Settings, engine: Engine, sandbox: SandboxServer, check: Callable[[], None]
) -> None:
    ingest(settings, "run-1")
    cards = rows(engine, "SELECT work_id, etag FROM work_cards_cache ORDER BY 1")
    _age(engine)
    sandbox.faults.add(Fault(MOVIE, **TO_ALL[answer]))

    with pytest.raises(TmdbDagsterError):
        refresh(settings, "run-2")

    assert sandbox.stats.faults_fired > 0
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status <> 'complete'") <= 10
    assert rows(engine, "SELECT work_id, etag FROM work_cards_cache ORDER BY 1") == cards
    check()
    sandbox.reset()
    _age(engine)
    refresh(settings, "run-3")
    assert rows(engine, "SELECT DISTINCT ingestion_status, gone_at FROM works") == [("complete", None)]
    check()


def test_every_fault_at_once(
    settings: Settings, engine: Engine, sandbox: SandboxServer, check: Callable[[], None]
) -> None:
    for fault in TO_SOME:
        sandbox.faults.add(Fault(MOVIE, times=1, **fault))

    ingest(settings, "run-1")

    assert sandbox.stats.faults_fired >= len(TO_SOME)
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'complete'") == MOVIES
    longest = value(engine, "SELECT max(length(error_message)) FROM tmdb_api_logs")
    assert longest < 2000
    check()


IMAGE_FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 404, "body": "no"},
    {"kind": "status", "status": 503, "body": "later"},
    {"kind": "html"},
    {"kind": "drop"},
    {"kind": "truncate"},
    {"kind": "body", "body": "\u0000 no picture"},
    {"kind": "status", "status": 302, "headers": {"Location": "http://169.254.169.254/latest/meta-data"}},
    {"kind": "delay", "delay_s": 1.0},
]


def test_every_fault_of_the_image_hosts(
    *,
    settings: Settings,
    engine: Engine,
    sandbox: SandboxServer,
    check: Callable[[], None],
    image_folder: Path,
    image_server: str,
) -> None:
    ours = {
        "movie_images_store": "local",
        "movie_images_folder": image_folder,
        "movie_images_public_url": image_server,
    }
    for fault in IMAGE_FAULTS:
        sandbox.faults.add(Fault("/t/p/.*|/vi/.*", times=3, **fault))
    local = settings.model_copy(update=ours)

    ingest(local, "run-1")

    assert sandbox.stats.faults_fired == 3 * len(IMAGE_FAULTS)
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'complete'") == MOVIES
    check()
    sandbox.reset()
    _age(engine)
    execute(engine, "UPDATE image_inventory SET next_attempt_at = now() WHERE status = 'failed'")
    refresh(local, "run-2")
    assert value(engine, "SELECT count(*) FROM image_inventory WHERE status = 'gave_up'") == 0
    check()
