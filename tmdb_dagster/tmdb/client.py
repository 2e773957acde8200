"""The questions we ask TMDB: one method an endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, Literal

from tmdb_dagster.tmdb.changes import ChangesPage, parse_changes_page
from tmdb_dagster.tmdb.errors import InvalidResponse, MovieNotFound, NotFound
from tmdb_dagster.tmdb.models import ListedMovie, ListPage, parse_list_page, parse_movie_rows
from tmdb_dagster.tmdb.parts import PARTS
from tmdb_dagster.tmdb.transport import Transport

ListSource = Literal["popular", "now_playing", "trending"]

LIST_PATHS: dict[ListSource, str] = {
    "popular": "/movie/popular",
    "now_playing": "/movie/now_playing",
    "trending": "/trending/movie/week",
}
"""The endpoint of each list."""

LAST_PAGE = 500
"""TMDB serves no page after it: https://developer.themoviedb.org/docs/errors, code 22."""


class TmdbClient:
    """TMDB's answers in one language (`en-US`) and, where lists differ by it, one region (ISO 3166-1).

    Every method raises what `Transport.get` raises. Closing the client closes its transport.
    """

    def __init__(self, transport: Transport, *, language: str = "en-US", region: str | None = None) -> None:
        self._transport = transport
        self._language = language
        self._region = region

    def list_page(self, source: ListSource, page: int) -> ListPage:
        """Page `page` (1 to 500) of a list of movies; `trending` is the week's and knows no region.

        Raises InvalidResponse for a body that is no list.
        """
        path = LIST_PATHS[source]
        params: dict[str, str | int] = {"language": self._language, "page": page}
        if self._region and source != "trending":
            params["region"] = self._region
        body = self._transport.get(path, params)
        with _named(path):
            return parse_list_page(body)

    def changes_page(self, start: date, end: date, page: int) -> ChangesPage:
        """Page `page` (1 to 500) of the movies that changed from `start` to `end`, at most 14 days later, in UTC.

        Raises InvalidResponse for a body that is no page of changes.
        """
        path = "/movie/changes"
        body = self._transport.get(path, {"start_date": start.isoformat(), "end_date": end.isoformat(), "page": page})
        with _named(path):
            return parse_changes_page(body)

    def movie(self, tmdb_id: int) -> dict[str, Any]:
        """The body of a movie with its PARTS appended, in one call.

        Raises MovieNotFound where TMDB knows no such movie (any more), InvalidResponse for a body that is not
        the movie `tmdb_id`.
        """
        path = f"/movie/{tmdb_id}"
        language = self._language.partition("-")[0]
        params = {
            "language": self._language,
            "append_to_response": ",".join(PARTS),
            # `language` filters appended images and videos as well. Images without text have no language, and a
            # movie without a trailer in the language may have an English one.
            "include_image_language": f"{language},null",
            "include_video_language": f"{language},en,null" if language != "en" else "en,null",
        }
        try:
            body = self._transport.get(path, params, tmdb_id=tmdb_id)
        except NotFound as exc:
            raise MovieNotFound(str(exc), endpoint=path, tmdb_id=tmdb_id) from exc
        found = body.get("id") if isinstance(body, dict) else None
        if found == tmdb_id:
            return dict(body)
        advice = "Check TMDB_API_URL and any proxy."
        if isinstance(found, int) and "title" in body:
            advice = f"It is the movie {found}, into which {tmdb_id} may have been merged: ingest {found} instead."
        raise InvalidResponse(
            f"{path}: TMDB's answer is not the movie {tmdb_id}. {advice}", endpoint=path, http_status=200
        )

    def find_movies(self, imdb_id: str) -> tuple[ListedMovie, ...]:
        """The movies with that IMDb id. Raises InvalidResponse for a body that has none of what is asked for."""
        path = f"/find/{imdb_id}"
        body = self._transport.get(path, {"external_source": "imdb_id", "language": self._language})
        with _named(path):
            return parse_movie_rows(body, "movie_results")

    def search_movies(self, title: str, year: int | None = None) -> ListPage:
        """The first page of the movies that a title may mean, adult ones included.

        Raises InvalidResponse for a body that is no list.
        """
        path = "/search/movie"
        params: dict[str, str | int] = {"query": title, "include_adult": "true", "language": self._language}
        body = self._transport.get(path, params if year is None else {**params, "year": year})
        with _named(path):
            return parse_list_page(body)

    def collection_of(self, tmdb_id: int) -> tuple[ListedMovie, ...]:
        """The movies of a movie's collection, itself among them; none where it belongs to none.

        Raises what `movie` raises, and InvalidResponse for a body that is no collection.
        """
        collection = self.movie(tmdb_id).get("belongs_to_collection")
        number = collection.get("id") if isinstance(collection, dict) else None
        if not isinstance(number, int):
            return ()
        path = f"/collection/{number}"
        body = self._transport.get(path, {"language": self._language})
        with _named(path):
            return parse_movie_rows(body, "parts")

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()

    def __enter__(self) -> TmdbClient:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Say which endpoint an unusable body came from."""
    try:
        yield
    except InvalidResponse as exc:
        raise InvalidResponse(f"{path}: {exc}", endpoint=path, http_status=200) from exc
