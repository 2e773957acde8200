"""What every run that asks TMDB holds: the database, the client, the shared limit, the call log and its lease."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine

from tmdb_dagster.logs import log_fields
from tmdb_dagster.pipeline.errors import RunEnding
from tmdb_dagster.pipeline.rehost import Rehoster
from tmdb_dagster.services.image_store import open_store
from tmdb_dagster.settings import Settings
from tmdb_dagster.tmdb.client import TmdbClient
from tmdb_dagster.tmdb.transport import ApiCall, RateLimiter, Transport, Unlimited
from tmdb_dagster.transform.movie import ImageUrls
from tmdb_dagster.transform.score import METHOD_V2, ScorePrior
from tmdb_dagster.warehouse.api_log import ApiLog
from tmdb_dagster.warehouse.claims import give_back_claims
from tmdb_dagster.warehouse.engine import check_schema, connect, reachable
from tmdb_dagster.warehouse.leases import RunLease
from tmdb_dagster.warehouse.origin import Origin, require_origin
from tmdb_dagster.warehouse.rate_limit import SharedRateLimiter
from tmdb_dagster.warehouse.refresh_queue import give_back_entries
from tmdb_dagster.warehouse.scores import read_score_prior, update_score_prior

PRIOR_VOTES = 25.0
"""How many votes the catalogue's mean counts as: a movie with as many is half its own, half the catalogue's."""

DEFAULT_PRIOR = ScorePrior(mean=6.5, votes=PRIOR_VOTES)
"""For a catalogue that is too small to have a mean of its own."""

COLLECT_AFTER = 20_000
"""Python's own 700 cost a third of the CPU of a movie."""

_log = logging.getLogger(__name__)


@dataclass
class Run:
    """One run of a job that asks TMDB. Threads share it."""

    settings: Settings
    engine: Engine
    run_id: str
    job: str
    lease: RunLease
    tmdb: TmdbClient
    api_log: ApiLog
    prior: ScorePrior
    rehoster: Rehoster | None
    """None where images stay at TMDB."""
    ending: threading.Event
    response_times: defaultdict[str, list[int]]
    """Milliseconds of each call, by the TMDB id it asked for; taken out when the movie is settled."""

    @property
    def images(self) -> ImageUrls:
        """Where TMDB's and YouTube's images are."""
        return image_urls(self.settings)


def image_urls(settings: Settings) -> ImageUrls:
    """Where TMDB's and YouTube's images are."""
    return ImageUrls(settings.tmdb_image_url, settings.youtube_image_url)


@contextmanager
def open_catalogue(settings: Settings) -> Iterator[Engine]:
    """The database of the catalogue.

    Raises DatabaseUnavailable, SchemaNotCurrent.
    """
    if settings.database_url is None:
        raise TypeError("settings.database_url is None: resolve the settings first")
    engine = connect(
        settings.database_url.get_secret_value(),
        schema=settings.database_schema,
        connections=settings.tmdb_concurrency,
    )
    try:
        check_schema(engine)
        with reachable(engine):
            yield engine
    finally:
        engine.dispose()


@contextmanager
def open_run(settings: Settings, *, run_id: str, job: str, origin: Origin) -> Iterator[Run]:
    """Everything that one run needs; at the end calls are logged, and claims and lease are given back.

    Raises DatabaseUnavailable, SchemaNotCurrent, OriginMismatch, ApiLogIncomplete.
    """
    with ExitStack() as stack:
        stack.enter_context(log_fields(run_id=run_id, job=job))
        stack.enter_context(_rare_collections())
        engine = stack.enter_context(open_catalogue(settings))
        with engine.begin() as connection:
            require_origin(connection, origin)
        lease = stack.enter_context(RunLease(engine, run_id=run_id, job=job))
        stack.callback(_give_back, engine, run_id)
        stack.enter_context(_told(origin))
        api_log = stack.enter_context(ApiLog(engine, job=job, run_id=run_id))
        limiter: RateLimiter = Unlimited()
        if settings.tmdb_rate_limit is not None:
            limiter = SharedRateLimiter(engine, settings.tmdb_rate_limit)
        ending = threading.Event()
        response_times: defaultdict[str, list[int]] = defaultdict(list)

        def sleep(seconds: float) -> None:
            if ending.wait(seconds):
                raise RunEnding("The run is ending.")

        tmdb = stack.enter_context(_client(settings, limiter, _recorder(api_log, response_times), sleep))
        rehoster = None
        if (store := open_store(settings)) is not None:
            rehoster = Rehoster(
                engine,
                store,
                image_urls(settings),
                run_id=run_id,
                concurrency=settings.movie_images_concurrency,
                ending=ending,
                sleep=sleep,
            )
            stack.callback(rehoster.close)
        prior = score_prior(engine)
        yield Run(settings, engine, run_id, job, lease, tmdb, api_log, prior, rehoster, ending, response_times)


def _recorder(api_log: ApiLog, response_times: defaultdict[str, list[int]]) -> Callable[[ApiCall], None]:
    """What hears of every call: each is logged, and a failed one told."""

    def on_call(call: ApiCall) -> None:
        if call.tmdb_id is not None:
            response_times[call.tmdb_id].append(call.response_time_ms)
        api_log.add(vars(call))
        if call.error_message is not None:
            _log.warning(
                "call failed",
                extra={
                    "tmdb_id": call.tmdb_id,
                    "endpoint": call.endpoint,
                    "http_status": call.http_status,
                    "attempt": call.retry_count + 1,
                    "ms": call.response_time_ms,
                    "reason": call.error_message,
                },
            )

    return on_call


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Look for cyclic garbage less often: a decoded answer is thousands of objects without a cycle among them."""
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def _told(origin: Origin) -> Iterator[None]:
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


def _give_back(engine: Engine, run_id: str) -> None:
    with engine.begin() as connection:
        give_back_claims(connection, run_id)
        give_back_entries(connection, run_id)


def score_prior(engine: Engine, *, update: bool = False) -> ScorePrior:
    """What scores assume before votes, as stored; `update` computes it anew from the catalogue first."""
    with engine.begin() as connection:
        if update:
            update_score_prior(connection, METHOD_V2, PRIOR_VOTES)
        stored = read_score_prior(connection, METHOD_V2)
    return DEFAULT_PRIOR if stored is None else ScorePrior(*stored)


def _client(
    settings: Settings,
    limiter: RateLimiter,
    on_call: Callable[[ApiCall], None],
    sleep: Callable[[float], None],
) -> TmdbClient:
    key, token = settings.tmdb_api_key, settings.tmdb_read_access_token
    transport = Transport(
        settings.tmdb_api_url,
        api_key=key.get_secret_value() if key else None,
        read_access_token=token.get_secret_value() if token else None,
        limiter=limiter,
        on_call=on_call,
        connections=settings.tmdb_concurrency,
        sleep=sleep,
    )
    return TmdbClient(transport, language=settings.tmdb_language, region=settings.tmdb_region)
