"""The invented catalogue: which movies there are, how lists order them, and which of them change.

Nothing is stored but ids and outlines: every movie is made when it is asked for, from the seed and its id, and is the
same each time.
"""

from __future__ import annotations

import gzip
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple

import orjson

from tmdb_dagster.clock import utc_now
from tmdb_dagster.sandbox.draw import Draw, hashed
from tmdb_dagster.sandbox.movie import (
    LANDMARKS,
    Json,
    Movie,
    Outline,
    details,
    imdb_id_of,
    list_row,
    make_movie,
    outline,
)
from tmdb_dagster.sandbox.parts import (
    external_ids_of,
    images_of,
    keywords_of,
    providers_of,
    release_dates_of,
    videos_of,
)
from tmdb_dagster.sandbox.people import credits_of
from tmdb_dagster.sandbox.translations import alternative_titles_of, translations_of

ListName = Literal["popular", "now_playing", "trending"]

HIGHEST_ID = 1_400_000
LIST_PAGE = 20
CHANGES_PAGE = 100
FOREIGN_CHANGES_A_DAY = 120

_OF_MOVIE = {
    "credits": credits_of,
    "videos": videos_of,
    "release_dates": release_dates_of,
    "images": images_of,
    "keywords": keywords_of,
    "watch/providers": providers_of,
    "translations": translations_of,
    "alternative_titles": alternative_titles_of,
}
PARTS = (*_OF_MOVIE, "external_ids", "similar", "recommendations")
"""The parts of a movie, `changes` apart; the last ones need the catalogue."""
_PAGES = ("similar", "recommendations")


def _with_media_type(row: bytes) -> bytes:
    """A list's row as those lists have it that could hold series, too."""
    return b'{"media_type":"movie",' + row[1:]


class Packed(NamedTuple):
    """A JSON body, plain and gzipped."""

    plain: bytes
    gzipped: bytes


def pack(body: object) -> Packed:
    """Serialise a body in both forms."""
    plain = orjson.dumps(body)
    return Packed(plain, gzip.compress(plain, compresslevel=1, mtime=0))


@dataclass
class Change:
    """How often a movie was changed, and when last."""

    revision: int = 0
    poster_revision: int = 0
    removed: bool = False
    at: datetime | None = None


class Catalogue:
    """Movies by id, deterministic from the seed; `today` is the day that releases and lists are relative to."""

    def __init__(self, *, seed: int = 1, movies: int = 2000, today: date = date(2026, 11, 1)) -> None:
        if movies < len(LANDMARKS):
            raise ValueError(f"A catalogue has at least {len(LANDMARKS)} movies, not {movies}.")
        self.seed = seed
        self.today = today
        drawn = Draw(seed, "ids").sample(range(2, HIGHEST_ID), movies)
        others = [movie_id for movie_id in drawn if movie_id not in LANDMARKS]
        self.ids: tuple[int, ...] = tuple(sorted((*LANDMARKS, *others[: movies - len(LANDMARKS)])))
        self._known = frozenset(self.ids)
        self._changes: dict[int, Change] = {}
        self._row = lru_cache(maxsize=4096)(self._make_row)
        self._body = lru_cache(maxsize=400)(self._make_body)

    def __contains__(self, movie_id: int) -> bool:
        """True where TMDB would answer with the movie."""
        return movie_id in self._known and not self._change(movie_id).removed

    def _change(self, movie_id: int) -> Change:
        return self._changes.get(movie_id, Change())

    def touch(self, movie_id: int, *, poster: bool = False) -> None:
        """Change a movie now: its votes and overview, and with `poster` also its poster; `/movie/changes` lists it."""
        old = self._change(self._checked(movie_id))
        self._changes[movie_id] = Change(
            old.revision + 1, old.poster_revision + int(poster), removed=old.removed, at=utc_now()
        )

    def remove(self, movie_id: int) -> None:
        """Delete a movie now: from here on it is a 404, and `/movie/changes` lists its id."""
        old = self._change(self._checked(movie_id))
        self._changes[movie_id] = Change(old.revision, old.poster_revision, removed=True, at=utc_now())

    def _checked(self, movie_id: int) -> int:
        if movie_id not in self._known:
            raise KeyError(f"There is no movie {movie_id} in this catalogue.")
        return movie_id

    @cached_property
    def outlines(self) -> dict[int, Outline]:
        """The outline of every movie."""
        return {movie_id: outline(self.seed, movie_id, self.today) for movie_id in self.ids}

    @cached_property
    def _by_genre(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for about in self.outlines.values():
            found.setdefault(about.main_genre, []).append(about.id)
        return found

    def movie(self, movie_id: int) -> Movie:
        """The movie in its present revision."""
        change = self._change(self._checked(movie_id))
        return make_movie(self.seed, self.outlines[movie_id], self.today, change.revision, change.poster_revision)

    def movie_as_made(self, movie_id: int) -> Movie:
        """The movie before any change, also where it was removed since."""
        return make_movie(self.seed, outline(self.seed, movie_id, self.today), self.today)

    def body(self, movie_id: int, parts: tuple[str, ...], image_languages: frozenset[str | None] | None) -> Packed:
        """The details with these parts appended; `image_languages` are the ones to show, None for all."""
        change = self._change(movie_id)
        make = self._make_body if "changes" in parts else self._body
        return make(movie_id, parts, image_languages, change.revision, change.poster_revision)

    def _make_body(
        self,
        movie_id: int,
        parts: tuple[str, ...],
        image_languages: frozenset[str | None] | None,
        *_revisions: int,
    ) -> Packed:
        movie = self.movie(movie_id)
        body = details(movie, self.today, self._shares_imdb_id_with(movie_id))
        for part in parts:
            body[part] = self._part(movie, part, image_languages)
        return pack(body)

    def part(self, movie_id: int, part: str, image_languages: frozenset[str | None] | None) -> Packed:
        """One part on its own, as its separate endpoint gives it."""
        content = self._part(self.movie(movie_id), part, image_languages)
        return pack(content if part in _PAGES else {"id": movie_id, **content})

    def _part(self, movie: Movie, part: str, image_languages: frozenset[str | None] | None) -> Json:
        if part == "similar":
            return self._similar(movie)
        if part == "recommendations":
            return self._recommendations(movie)
        if part == "external_ids":
            return external_ids_of(movie, self._imdb_id(movie.id))
        if part == "changes":
            yesterday = utc_now().date() - timedelta(days=1)
            return self.movie_changes(movie.id, yesterday, utc_now().date())
        content = _OF_MOVIE[part](movie)
        if part == "images" and image_languages is not None:
            return {
                kind: [image for image in images if image["iso_639_1"] in image_languages]
                for kind, images in content.items()
            }
        return content

    def _shares_imdb_id_with(self, movie_id: int) -> int | None:
        """The movie before this one, for one movie in 150: TMDB now and then gives two movies one `imdb_id`."""
        position = bisect_left(self.ids, movie_id)
        return self.ids[position - 1] if position and hashed(self.seed, "shared", movie_id) % 150 == 0 else None

    def _similar(self, movie: Movie) -> Json:
        """Movies of the same genre, in the form they had before any change, so that only a touched body changes."""
        draw = Draw(self.seed, "similar", movie.id)
        pool = self._by_genre[movie.outline.main_genre]
        count = 0 if movie.obscure and draw.chance(0.3) else LIST_PAGE
        chosen = [one for one in draw.sample(pool, min(count + 1, len(pool))) if one != movie.id][:count]
        total = draw.whole(count, 8000) if count == LIST_PAGE else len(chosen)
        return {
            "page": 1,
            "results": [orjson.Fragment(self._row(one, 0, 0)) for one in chosen],
            "total_pages": -(-total // LIST_PAGE),
            "total_results": total,
        }

    def _recommendations(self, movie: Movie) -> Json:
        """Movies that its viewers like, some of the same genre; none for most of the obscure ones."""
        draw = Draw(self.seed, "recommendations", movie.id)
        pool = self._by_genre[movie.outline.main_genre]
        count = 0 if movie.obscure and draw.chance(0.8) else LIST_PAGE
        chosen = [*draw.sample(pool, min(count // 2, len(pool))), *draw.sample(self.ids, min(count, len(self.ids)))]
        found = [one for one in dict.fromkeys(chosen) if one != movie.id][:count]
        return {
            "page": 1,
            "results": [orjson.Fragment(_with_media_type(self._row(one, 0, 0))) for one in found],
            "total_pages": 2 if found else 1,
            "total_results": 2 * len(found),
        }

    def _make_row(self, movie_id: int, revision: int, poster_revision: int) -> bytes:
        movie = make_movie(self.seed, self.outlines[movie_id], self.today, revision, poster_revision)
        return orjson.dumps(list_row(movie))

    def list_page(self, name: ListName, page: int) -> Packed:
        """One page of a list; some movies are on two pages, as happens while TMDB's ranking moves."""
        sequence = [movie_id for movie_id in self._sequences[name] if not self._change(movie_id).removed]
        rows = []
        for movie_id in sequence[(page - 1) * LIST_PAGE : page * LIST_PAGE]:
            change = self._change(movie_id)
            row = self._row(movie_id, change.revision, change.poster_revision)
            rows.append(_with_media_type(row) if name == "trending" else row)
        body: Json = {
            "page": page,
            "results": [orjson.Fragment(row) for row in rows],
            "total_pages": -(-len(sequence) // LIST_PAGE),
            "total_results": len(sequence),
        }
        if name == "now_playing":
            first, last = self._in_cinemas
            body = {"dates": {"maximum": last.isoformat(), "minimum": first.isoformat()}, **body}
        return pack(body)

    def find(self, imdb_id: str) -> Packed:
        """The movies with that IMDb id, as `/find` answers."""
        number = int(imdb_id.removeprefix("tt")) - 1_000_000
        owner = number // 5 if number % 5 == 0 else 0
        following = self.ids[bisect_left(self.ids, owner + 1) :][:1]
        found = [one for one in (owner, *following) if one in self and self._imdb_id(one) == imdb_id]
        return pack({"movie_results": self._rows(found), "person_results": [], "tv_results": []})

    def _imdb_id(self, movie_id: int) -> str | None:
        return imdb_id_of(self.movie(movie_id), self._shares_imdb_id_with(movie_id))

    def search(self, query: str, year: str | None, page: int) -> Packed:
        """A page of the movies whose titles have all words of the query."""
        words = query.casefold().split()
        found = [
            movie_id
            for movie_id, (title, released, _) in self._known_by.items()
            if movie_id in self and all(word in title for word in words) and (year is None or released == year)
        ]
        return pack(
            {
                "page": page,
                "results": self._rows(found[(page - 1) * LIST_PAGE : page * LIST_PAGE]),
                "total_pages": -(-len(found) // LIST_PAGE),
                "total_results": len(found),
            }
        )

    def collection(self, collection_id: int) -> Packed | None:
        """A collection with its movies; None where there is none."""
        parts = [one for one, (*_, collection) in self._known_by.items() if collection == collection_id and one in self]
        if not parts:
            return None
        about = details(self.movie(parts[0]), self.today, None)["belongs_to_collection"]
        return pack({**about, "overview": "", "parts": self._rows(parts)})

    @cached_property
    def _known_by(self) -> dict[int, tuple[str, str, int | None]]:
        """Title, year and collection of every movie."""
        known = {}
        for movie_id, about in self.outlines.items():
            body = details(make_movie(self.seed, about, self.today), self.today, None)
            collection = body["belongs_to_collection"]
            known[movie_id] = body["title"].casefold(), body["release_date"][:4], collection and collection["id"]
        return known

    def _rows(self, movie_ids: Iterable[int]) -> list[orjson.Fragment]:
        changes = {movie_id: self._change(movie_id) for movie_id in movie_ids}
        return [orjson.Fragment(self._row(one, c.revision, c.poster_revision)) for one, c in changes.items()]

    @property
    def _in_cinemas(self) -> tuple[date, date]:
        return self.today - timedelta(days=42), self.today + timedelta(days=7)

    @cached_property
    def _sequences(self) -> dict[ListName, list[int]]:
        everything = list(self.outlines.values())
        first, last = self._in_cinemas
        playing = [about for about in everything if about.released and first <= about.released <= last]

        def trend(about: Outline) -> float:
            return about.popularity * (0.2 + hashed(self.seed, "trend", about.id) % 1000 / 500)

        def popularity(about: Outline) -> float:
            return about.popularity

        return {
            "popular": self._with_repeats(sorted(everything, key=popularity, reverse=True)),
            "now_playing": self._with_repeats(sorted(playing, key=popularity, reverse=True)),
            "trending": self._with_repeats(sorted(everything, key=trend, reverse=True)),
        }

    def _with_repeats(self, ranking: list[Outline]) -> list[int]:
        """The ids of a ranking, in which some pages start with the movie that the page before ended with."""
        ids: list[int] = []
        for about in ranking:
            if ids and len(ids) % LIST_PAGE == 0 and hashed(self.seed, "repeat", len(ids)) % 3 == 0:
                ids.append(ids[-1])
            ids.append(about.id)
        return ids

    def changes_page(self, start: date, end: date, page: int) -> Json:
        """`GET /movie/changes`: what was touched or removed, among ids of movies not in this catalogue."""
        rows = self._touched(start, end) + [
            row
            for offset in range((end - start).days + 1)
            for row in self._foreign_changes(start + timedelta(days=offset))
        ]
        return {
            "results": rows[(page - 1) * CHANGES_PAGE : page * CHANGES_PAGE],
            "page": page,
            "total_pages": -(-len(rows) // CHANGES_PAGE),
            "total_results": len(rows),
        }

    def _touched(self, start: date, end: date) -> list[Json]:
        return [
            {"id": movie_id, "adult": False}
            for movie_id, change in list(self._changes.items())
            if change.at is not None and start <= change.at.date() <= end
        ]

    def _foreign_changes(self, day: date) -> list[Json]:
        draw = Draw(self.seed, "changes", day.toordinal())
        rows: list[Json] = []
        for _ in range(FOREIGN_CHANGES_A_DAY):
            movie_id = draw.whole(2, HIGHEST_ID)
            if movie_id in self._known:
                continue
            chance = draw.random()
            row: Json = {"id": movie_id, "adult": None if chance < 0.03 else chance > 0.95}
            if chance > 0.5:
                row["softcore"] = False
            rows.append(row)
        if draw.chance(0.3):
            rows.insert(draw.whole(0, len(rows)), {"id": None, "adult": None})
        return rows

    def movie_changes(self, movie_id: int, start: date, end: date) -> Json:
        """`GET /movie/{id}/changes`: what the last touch changed, where it was in those days."""
        change = self._change(movie_id)
        if change.at is None or not start <= change.at.date() <= end:
            return {"changes": []}
        item = {
            "id": f"{hashed(self.seed, 'change', movie_id, change.revision):024x}",
            "action": "updated",
            "time": f"{change.at:%Y-%m-%d %H:%M:%S} UTC",
            "iso_639_1": "en",
            "iso_3166_1": "US",
            "value": self.movie(movie_id).story.overview,
        }
        return {"changes": [{"key": "overview", "items": [item]}]}
