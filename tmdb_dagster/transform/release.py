"""The rating board's certification."""

from __future__ import annotations

from tmdb_dagster.tmdb.models import ReleaseDates

_COUNTRY = "US"
_THEATRICAL = 3


def certification(release_dates: ReleaseDates | None) -> str | None:
    """The first certification of a US theatrical release, else of any US release; "" counts as none."""
    countries = release_dates.results if release_dates else ()
    releases = [
        ((release.certification or "").strip(), release.type)
        for country in countries
        if country.iso_3166_1 == _COUNTRY
        for release in country.release_dates
    ]
    theatrical = [text for text, kind in releases if text and kind == _THEATRICAL]
    anywhere = [text for text, _ in releases if text]
    return next(iter(theatrical + anywhere), None)
