"""What every run that asks TMDB holds: the database, the client, the shared limit, the call log and its lease."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from tmdb_dagster.logs import log_fields
from tmdb_dagster.pipeline.calls import CallRecorder
from tmdb_dagster.pipeline.ending import Ending
from tmdb_dagster.pipeline.errors import InvalidRequest
from tmdb_dagster.pipeline.garbage import rare_collections
from tmdb_dagster.pipeline.rehost import Rehoster
from tmdb_dagster.pipeline.tmdb import image_urls, tmdb_client
from tmdb_dagster.services.catalogue import open_catalogue
from tmdb_dagster.services.image_store import open_store
from tmdb_dagster.settings import Settings
from tmdb_dagster.tmdb.client import TmdbClient
from tmdb_dagster.transform.admission import Admission
from tmdb_dagster.transform.images import ImageUrls
from tmdb_dagster.transform.score import ScorePrior
from tmdb_dagster.warehouse.api_log import ApiLog
from tmdb_dagster.warehouse.claims import give_back_claims
from tmdb_dagster.warehouse.leases import RunLease, live_runs
from tmdb_dagster.warehouse.origin import Origin, require_origin
from tmdb_dagster.warehouse.refresh_queue import give_back_entries
from tmdb_dagster.warehouse.rolling import await_migration
from tmdb_dagster.warehouse.scores import score_prior
from tmdb_dagster.warehouse.transaction import run_transaction

_log = logging.getLogger(__name__)


@dataclass
class Run:
    """One run of a job that asks TMDB. Threads share it."""

    settings: Settings
    engine: Engine
    run_id: str
    lease: RunLease
    tmdb: TmdbClient
    api_log: ApiLog
    prior: ScorePrior
    rehoster: Rehoster | None
    """None where images stay at TMDB."""
    ending: Ending
    response_times: defaultdict[int, list[int]]
    """Milliseconds of each call, by the TMDB id it asked for; taken out when the movie is settled."""

    @property
    def images(self) -> ImageUrls:
        """Where TMDB's and YouTube's images are."""
        return image_urls(self.settings)

    def log_calls(self) -> None:
        """Write the lines of the calls made so far: before what they brought, so that a run that dies loses none."""
        with suppress(DBAPIError):  # the table refuses them, which the run's end tells
            self.api_log.flush()

    @property
    def admission(self) -> Admission:
        """Which movies come in by themselves."""
        settings = self.settings
        return Admission(settings.ingest_include_adult, settings.ingest_min_votes, frozenset(settings.ingest_languages))


@contextmanager
def open_run(settings: Settings, *, run_id: str, job: str, origin: Origin) -> Iterator[Run]:
    """Everything that one run needs; at the end calls are logged, and claims and lease are given back.

    Raises DatabaseUnavailable, SchemaNotCurrent, OriginMismatch, ApiLogIncomplete, and InvalidRequest while a purge is
    at work.
    """
    with ExitStack() as stack:
        stack.enter_context(log_fields(run_id=run_id, job=job))
        stack.enter_context(rare_collections())
        migrated = partial(await_migration, run_id=run_id, job=job)
        engine = stack.enter_context(open_catalogue(settings, migrated))
        run_transaction(engine, require_origin, origin)
        lease = stack.enter_context(RunLease(engine, run_id=run_id, job=job))
        # It has looked for runs before this lease, or meets it: so one of the two sees the other.
        if run_transaction(engine, live_runs, ("purge",)):
            raise InvalidRequest("A purge is removing all movies: start the run again when that has ended.")
        stack.callback(run_transaction, engine, _give_back, run_id)
        stack.enter_context(_logged(origin))
        api_log = stack.enter_context(ApiLog(engine, job=job, run_id=run_id))
        calls = CallRecorder(api_log)
        ending = Ending()
        client = tmdb_client(settings, engine, on_call=calls.record, sleep=ending.sleep, now=lease.now)
        tmdb = stack.enter_context(client)
        rehoster = _rehoster(settings, engine, run_id, ending)
        if rehoster is not None:
            stack.callback(rehoster.close)
        prior = score_prior(engine)
        yield Run(settings, engine, run_id, lease, tmdb, api_log, prior, rehoster, ending, calls.response_times)


@contextmanager
def _logged(origin: Origin) -> Iterator[None]:
    """Log a run's beginning and its end."""
    _log.info("run opened", extra={"origin": origin})
    start = time.monotonic()
    error: BaseException | None = None
    try:
        yield
    except BaseException as raised:
        error = raised
        raise
    finally:
        ms = round((time.monotonic() - start) * 1000)
        reason = None if error is None else str(error) or type(error).__name__
        _log.log(logging.ERROR if error else logging.INFO, "run closed", extra={"ms": ms, "reason": reason})


def _give_back(connection: Connection, run_id: str) -> None:
    give_back_claims(connection, run_id)
    give_back_entries(connection, run_id)


def _rehoster(settings: Settings, engine: Engine, run_id: str, ending: Ending) -> Rehoster | None:
    store = open_store(settings)
    if store is None:
        return None
    return Rehoster(
        engine,
        store,
        image_urls(settings),
        run_id=run_id,
        concurrency=settings.movie_images_concurrency,
        networks=settings.image_allowed_networks,
        ending=ending,
        redact=settings.redact,
    )
