"""TMDB's API without HTTP: a path and its parameters in, a status and a JSON body out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import NamedTuple

from tmdb_dagster.clock import utc_now
from tmdb_dagster.sandbox.catalogue import PARTS, Catalogue, ListName, Packed, pack
from tmdb_dagster.sandbox.world import CONFIGURATION_SIZES

Query = Mapping[str, str]

HIGHEST_PAGE = 500
MOST_APPENDED = 20
LONGEST_RANGE = timedelta(days=14)
_V3_KEY = re.compile(r"[0-9a-f]{32}")
_APPENDABLE = (*PARTS, "changes")

MESSAGES: dict[int, str] = {
    6: "Invalid id: The pre-requisite id is invalid or not found.",
    7: "Invalid API key: You must be granted a valid key.",
    9: "Service offline: This service is temporarily offline, try again later.",
    11: "Internal error: Something went wrong, contact TMDb.",
    20: "Invalid date range: Should be a range no longer than 14 days.",
    22: "Invalid page: Pages start at 1 and max at 500. They are expected to be an integer.",
    24: "Your request to the backend server timed out. Try again.",
    25: "Your request count is over the allowed limit.",
    27: "Too many append to response objects: The maximum number of remote calls is 20.",
    34: "The resource you requested could not be found.",
}
"""TMDB's messages by `status_code`."""
CODE_OF_STATUS: dict[int, int] = {401: 7, 404: 34, 422: 20, 429: 25, 500: 11, 502: 24, 503: 9, 504: 24}


class Refusal(Exception):
    """An error answer: the HTTP status, and TMDB's `status_code`."""

    def __init__(self, status: int, code: int) -> None:
        super().__init__(f"{status}/{code}")
        self.status = status
        self.code = code


class Answer(NamedTuple):
    """A status, a body, and the endpoint's path template (`/movie/{id}`), under which calls are counted."""

    status: int
    body: Packed
    endpoint: str


def error_body(code: int, message: str | None = None) -> dict[str, object]:
    """An error's body, as TMDB writes it."""
    return {"success": False, "status_code": code, "status_message": message or MESSAGES[code]}


class Api:
    """The endpoints over one catalogue."""

    def __init__(self, catalogue: Catalogue, image_url: Callable[[], str]) -> None:
        self._catalogue = catalogue
        self._image_url = image_url
        self._routes: list[tuple[re.Pattern[str], str, Callable[[str, Query], Packed]]] = [
            (re.compile(pattern), template, handler)
            for pattern, template, handler in (
                (r"/movie/popular()", "/movie/popular", self._list("popular")),
                (r"/movie/now_playing()", "/movie/now_playing", self._list("now_playing")),
                (r"/trending/movie/week()", "/trending/movie/week", self._list("trending")),
                (r"/movie/changes()", "/movie/changes", self._changes),
                (r"/configuration()", "/configuration", self._configuration),
                (r"/search/movie()", "/search/movie", self._search),
                (r"/find/(tt[0-9]{1,12})", "/find/{id}", self._find),
                (r"/collection/([0-9]{1,9})", "/collection/{id}", self._collection),
                (r"/movie/([^/]+)", "/movie/{id}", self._movie),
                (r"/movie/([^/]+)/changes", "/movie/{id}/changes", self._movie_changes),
                *((rf"/movie/([^/]+)/{part}", f"/movie/{{id}}/{part}", self._part(part)) for part in PARTS),
            )
        ]

    def answer(self, path: str, query: Query, bearer: str | None) -> Answer:
        """Answer a GET of that path below `/3`; `bearer` is the token of the Authorization header."""
        for pattern, template, handler in self._routes:
            if found := pattern.fullmatch(path):
                try:
                    _authorise(query.get("api_key"), bearer)
                    return Answer(200, handler(found[1], query), template)
                except Refusal as refusal:
                    return Answer(refusal.status, pack(error_body(refusal.code)), template)
        return Answer(404, pack(error_body(34)), "(unknown)")

    def _list(self, name: ListName) -> Callable[[str, Query], Packed]:
        return lambda _, query: self._catalogue.list_page(name, _page(query))

    def _part(self, part: str) -> Callable[[str, Query], Packed]:
        return lambda text, query: self._catalogue.part(self._id(text), part, _image_languages(query))

    def _movie(self, text: str, query: Query) -> Packed:
        movie_id = self._id(text)
        asked = [part for part in query.get("append_to_response", "").split(",") if part]
        if len(asked) > MOST_APPENDED:
            raise Refusal(400, 27)
        parts = tuple(part for part in dict.fromkeys(asked) if part in _APPENDABLE)
        return self._catalogue.body(movie_id, parts, _image_languages(query) if "images" in parts else None)

    def _movie_changes(self, text: str, query: Query) -> Packed:
        return pack(self._catalogue.movie_changes(self._id(text), *_days(query)))

    def _changes(self, _: str, query: Query) -> Packed:
        return pack(self._catalogue.changes_page(*_days(query), _page(query)))

    def _configuration(self, _text: str, _query: Query) -> Packed:
        url = f"{self._image_url()}/"
        return pack(
            {
                "images": {"base_url": url, "secure_base_url": url, **CONFIGURATION_SIZES},
                "change_keys": ["images", "overview", "title"],
            }
        )

    def _search(self, _: str, query: Query) -> Packed:
        return self._catalogue.search(query.get("query", ""), query.get("year"), _page(query))

    def _find(self, imdb_id: str, _: Query) -> Packed:
        return self._catalogue.find(imdb_id)

    def _collection(self, text: str, _: Query) -> Packed:
        found = self._catalogue.collection(int(text))
        if found is None:
            raise Refusal(404, 34)
        return found

    def _id(self, text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}(-[^/]*)?", text):
            raise Refusal(404, 6)
        movie_id = int(text.partition("-")[0])
        if movie_id not in self._catalogue:
            raise Refusal(404, 34)
        return movie_id


def _authorise(api_key: str | None, bearer: str | None) -> None:
    """Accept any key or token but `bad-key`; a v3 key (32 hexadecimal digits) is no bearer token."""
    if bearer is not None and _V3_KEY.fullmatch(bearer):
        raise Refusal(401, 7)
    if (bearer or api_key or "bad-key") == "bad-key":
        raise Refusal(401, 7)


def _page(query: Query) -> int:
    text = query.get("page", "1")
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= HIGHEST_PAGE:
        raise Refusal(400, 22)
    return int(text)


def _days(query: Query) -> tuple[date, date]:
    """`start_date` and `end_date`, both included; yesterday and today unless given."""
    today = utc_now().date()
    try:
        end = date.fromisoformat(query["end_date"][:10]) if "end_date" in query else today
        start = date.fromisoformat(query["start_date"][:10]) if "start_date" in query else end - timedelta(days=1)
    except ValueError as error:
        raise Refusal(422, 20) from error
    if not timedelta(0) <= end - start <= LONGEST_RANGE:
        raise Refusal(422, 20)
    return start, end


def _image_languages(query: Query) -> frozenset[str | None] | None:
    """Which images are shown: those of `include_image_language`, else only those of `language`, else all."""
    if "include_image_language" in query:
        codes = query["include_image_language"].split(",")
        return frozenset(None if code == "null" else code.partition("-")[0] for code in codes)
    if "language" in query:
        return frozenset((query["language"].partition("-")[0],))
    return None
