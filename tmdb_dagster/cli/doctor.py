"""What `tmdb-dagster doctor` looks at, and what it says of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Literal

from tmdb_dagster.errors import TmdbDagsterError
from tmdb_dagster.pipeline.tmdb import check_tmdb
from tmdb_dagster.services.catalogue import catalogue_engine
from tmdb_dagster.services.image_store import open_store, unreadable_images
from tmdb_dagster.services.provide import Services, provide_services
from tmdb_dagster.settings import Settings
from tmdb_dagster.tmdb.errors import TmdbError
from tmdb_dagster.warehouse.engine import address, check_schema
from tmdb_dagster.warehouse.probe import check_writable

Finding = tuple[Literal["ok", "note", "problem"], str]
"""What was found, and the sentence that says so; a problem's says what to do, too."""

_DAGSTER_TIMEOUT_S = 60


def examine(settings: Settings) -> Iterator[Finding]:
    """Provide what the settings leave out, and look at one thing after the other."""
    unreadable = unreadable_images(settings)
    if unreadable:  # no reason not to look at the rest
        settings = settings.model_copy(update={"movie_images_store": "none"})
    services = provide_services(settings)
    yield _database(services.settings)
    yield _tmdb(services)
    if unreadable:
        yield "problem", unreadable
    else:
        yield from _images(services.settings)
    yield from _dagster()


def _database(settings: Settings) -> Finding:
    engine = catalogue_engine(settings)
    try:
        check_schema(engine)
        check_writable(engine)
    except TmdbDagsterError as error:
        return "problem", str(error)
    finally:
        engine.dispose()
    return "ok", f"the database at {address(str(engine.url))}"


def _tmdb(services: Services) -> Finding:
    try:
        check_tmdb(services.settings)
    except TmdbError as error:
        return "problem", str(error)
    if services.origin == "sandbox":
        return "ok", "the sandbox answers in TMDB's place, since no key is set"
    return "ok", f"TMDB at {services.settings.tmdb_api_url} takes the key"


def _images(settings: Settings) -> Iterator[Finding]:
    store = open_store(settings)
    if store is None:
        yield "ok", "images stay at TMDB (MOVIE_IMAGES_STORE=none)"
    elif found := store.problems():
        for problem in found:
            yield "problem", problem
    else:
        yield "ok", f"images go to {store.name}, and are read at {store.public_url('')}"


def _dagster() -> list[Finding]:
    """What a process finds that imports Dagster, which this room does not."""
    command = [sys.executable, "-m", "tmdb_dagster.defs.doctor"]
    try:
        done = subprocess.run(  # noqa: S603 - our own command
            command, capture_output=True, text=True, timeout=_DAGSTER_TIMEOUT_S, check=True
        )
    except subprocess.TimeoutExpired:
        return [("problem", f"Dagster's database did not answer within {_DAGSTER_TIMEOUT_S} seconds: try again.")]
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return [("problem", f"Dagster could not be looked at: {reason}")]
    return [(finding, text) for finding, text in json.loads(done.stdout)]
