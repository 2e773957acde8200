"""TMDB as the settings name it: who asks it, and where its images are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from tmdb_dagster.settings import Settings
from tmdb_dagster.tmdb.client import TmdbClient
from tmdb_dagster.tmdb.transport import ApiCall, RateLimiter, RetryPolicy, Transport, Unlimited
from tmdb_dagster.transform.images import ImageUrls
from tmdb_dagster.warehouse.rate_limit import SharedRateLimiter


def tmdb_client(
    settings: Settings,
    engine: Engine,
    *,
    on_call: Callable[[ApiCall], None],
    sleep: Callable[[float], None],
    now: Callable[[], datetime],
) -> TmdbClient:
    """A client that keeps to the rate limit which all runs on this database share; close it at the end."""
    limit = settings.tmdb_rate_limit
    limiter: RateLimiter = Unlimited() if limit is None else SharedRateLimiter(engine, limit)
    transport = _transport(
        settings, limiter=limiter, on_call=on_call, connections=settings.tmdb_concurrency, sleep=sleep, now=now
    )
    return TmdbClient(transport, language=settings.tmdb_language, region=settings.tmdb_region)


def check_tmdb(settings: Settings) -> None:
    """Ask TMDB one small thing with the key: one call, beside the rate limit and the log of calls.

    Raises TmdbError: AuthenticationFailed for a key that TMDB refuses.
    """
    with _transport(
        settings, limiter=Unlimited(), on_call=lambda _: None, retry=RetryPolicy(max_attempts=1)
    ) as transport:
        transport.get("/configuration")


def _transport(settings: Settings, **options: Any) -> Transport:
    key, token = settings.tmdb_api_key, settings.tmdb_read_access_token
    return Transport(
        settings.tmdb_api_url,
        api_key=key.get_secret_value() if key else None,
        read_access_token=token.get_secret_value() if token else None,
        redact=settings.redact,
        **options,
    )


def image_urls(settings: Settings) -> ImageUrls:
    """Where TMDB's and YouTube's images are."""
    return ImageUrls(settings.tmdb_image_url, settings.youtube_image_url)
