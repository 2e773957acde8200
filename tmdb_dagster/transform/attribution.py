"""What TMDB and JustWatch ask to be shown wherever their data is.

Sources: https://www.themoviedb.org/api-terms-of-use, https://www.themoviedb.org/about/logos-attribution and
https://developer.themoviedb.org/reference/movie-watch-providers.
"""

from __future__ import annotations

TMDB_NOTICE = "This product uses TMDB and the TMDB APIs but is not endorsed, certified, or otherwise approved by TMDB."
TMDB_URL = "https://www.themoviedb.org/"
TMDB_LOGO_URL = (
    "https://www.themoviedb.org/assets/2/v4/logos/v2/"
    "blue_short-8e7b30f73a4020692ccca9c88bafe5dcb6f8a62a4c6bc55cd9ba82bb2cd95f6c.svg"
)
JUSTWATCH_NOTICE = "Watch provider data by JustWatch."
JUSTWATCH_URL = "https://www.justwatch.com/"
JUSTWATCH_MARKDOWN = f"[{JUSTWATCH_NOTICE}]({JUSTWATCH_URL})"


def attribution(*, with_justwatch: bool) -> dict[str, dict[str, str] | None]:
    """TMDB's notice, link and logo; and JustWatch's where watch providers are shown."""
    return {
        "tmdb": {"notice": TMDB_NOTICE, "url": TMDB_URL, "logo_url": TMDB_LOGO_URL},
        "justwatch": {"notice": JUSTWATCH_NOTICE, "url": JUSTWATCH_URL} if with_justwatch else None,
    }


def attribution_markdown(*, with_justwatch: bool) -> str:
    """The same as Markdown; the logo is linked to, since Markdown has no size for it."""
    tmdb = f"{TMDB_NOTICE} [TMDB]({TMDB_URL}), [logo]({TMDB_LOGO_URL})."
    return f"{tmdb} {JUSTWATCH_MARKDOWN}" if with_justwatch else tmdb
