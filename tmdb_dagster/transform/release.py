"""The rating board's certification."""

from __future__ import annotations

from tmdb_dagster.tmdb.models import ReleaseDates

_THEATRICAL = 3


def certification(release_dates: ReleaseDates | None, country_code: str) -> str | None:
    """The first certification of a theatrical release in that country, else of any release there; "" counts as none."""
    countries = release_dates.results if release_dates else ()
    releases = [
        ((release.certification or "").strip(), release.type)
        for country in countries
        if country.iso_3166_1 == country_code
        for release in country.release_dates
    ]
    theatrical = [text for text, kind in releases if text and kind == _THEATRICAL]
    anywhere = [text for text, _ in releases if text]
    return next(iter(theatrical + anywhere), None)
