"""Every way in which asking TMDB can fail.

    TmdbDagsterError
    └── TmdbError                  anything below; carries endpoint and http_status
        ├── TmdbUnavailable        transient, and still so after the last retry: 408, 429, 5xx, no answer
        │   │                          in time, network, a body cut off or not JSON
        │   └── RateLimited        the last answer was 429
        ├── AuthenticationFailed   401, 403 in TMDB's own words: no call of this run can succeed
        ├── NotFound               404 in TMDB's own words
        │   └── MovieNotFound      … for a movie: unknown, deleted or merged into another
        ├── BadRequest             any other 4xx of TMDB's: we asked for something it does not offer
        └── InvalidResponse        an answer that is not what TMDB documents
            └── NotTmdb            another server's: a redirect, a 4xx in other words, an unasked-for coding

What to do about each: TmdbUnavailable, try this call again in a later run; AuthenticationFailed, end the run;
MovieNotFound, remember that the movie is gone; the others cost the one call, and trying again does not help.
NotTmdb for one movie after another says that TMDB cannot be reached, as TmdbUnavailable does.

Texts name the path of an endpoint, never its query, so that they cannot hold the API key.
"""

from __future__ import annotations

from tmdb_dagster.errors import TmdbDagsterError


class TmdbError(TmdbDagsterError):
    """A question to TMDB that brought no usable answer.

    `endpoint` is the path (`/movie/603`), `http_status` the last answer's status, 0 where there was none.
    """

    def __init__(self, message: str, *, endpoint: str = "", http_status: int = 0) -> None:
        super().__init__(message)
        self.endpoint = endpoint
        self.http_status = http_status


class TmdbUnavailable(TmdbError):
    """TMDB did not answer properly in `attempts` attempts; a later run may have more luck.

    `retry_after_s` is how many seconds its last answer asked to wait, None where it did not say.
    """

    def __init__(
        self,
        message: str,
        *,
        endpoint: str = "",
        http_status: int = 0,
        attempts: int = 1,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, endpoint=endpoint, http_status=http_status)
        self.attempts = attempts
        self.retry_after_s = retry_after_s


class RateLimited(TmdbUnavailable):
    """TMDB refused the call as one too many (429), the retries included."""


class AuthenticationFailed(TmdbError):
    """TMDB refused the credentials (401, 403). Fatal for the run, and no fault of any movie."""

    permanent = True


class NotFound(TmdbError):
    """TMDB says that it has nothing under this path (404)."""


class MovieNotFound(NotFound):
    """TMDB does not know the movie `tmdb_id`, or no longer."""

    def __init__(self, message: str, *, endpoint: str = "", http_status: int = 404, tmdb_id: int | None = None) -> None:
        super().__init__(message, endpoint=endpoint, http_status=http_status)
        self.tmdb_id = tmdb_id


class BadRequest(TmdbError):
    """TMDB refused the call for what it asks (a 4xx of its own): a fault on our side."""


class InvalidResponse(TmdbError):
    """TMDB answered something other than what it documents."""


class NotTmdb(InvalidResponse):
    """Somebody else answered in TMDB's place: a proxy, a firewall, a portal."""
