"""Where a movie can be watched, by region."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tmdb_dagster.tmdb.models import RegionProviders, WatchProvider, WatchProviders
from tmdb_dagster.transform.text import text_or_none, utc_seconds

_URL = re.compile(r"https?://[^/]+/")
_OFFERS = ("flatrate", "rent", "buy", "ads", "free")


def streaming(providers: WatchProviders | None, regions: Sequence[str], fetched_at: datetime) -> dict[str, Any] | None:
    """`{"us": {link, flatrate, rent, buy, ads, free}, "updated_at"}`, for the regions that have offers.

    It holds only `updated_at` where TMDB was asked and none of the regions has an offer, and is None where
    TMDB's answer lacks the providers. `regions` are ISO 3166-1 codes in any case.
    """
    if providers is None:
        return None
    offers = {region.lower(): providers.results.get(region.upper()) for region in regions}
    shown = {region: _region(found) for region, found in offers.items() if found is not None}
    return {**shown, "updated_at": utc_seconds(fetched_at)}


def shows_offers(content: dict[str, Any] | None) -> bool:
    """Whether a `streaming` value holds a region, so that JustWatch must be named."""
    return content is not None and content.keys() != {"updated_at"}


def _region(found: RegionProviders) -> dict[str, Any]:
    return {
        "link": found.link if found.link and _URL.match(found.link) else None,
        **{offer: [_provider(provider) for provider in getattr(found, offer)] for offer in _OFFERS},
    }


def _provider(provider: WatchProvider) -> dict[str, Any]:
    return {
        "provider_id": provider.provider_id,
        "provider_name": provider.provider_name,
        "logo_path": text_or_none(provider.logo_path),
    }
