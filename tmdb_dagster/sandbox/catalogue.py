"""The invented catalogue: which movies there are, how lists order them, and which of them change.

Nothing is stored but ids and outlines: every movie is made when it is asked for, from the seed, its id and the day, and
is the same each time of a day.
"""

from __future__ import annotations

import gzip
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from functools import cache, cached_property, lru_cache
from typing import Literal, NamedTuple

import orjson

from tmdb_dagster.clock import utc_now
from tmdb_dagster.sandbox.changes import Change, changes_of, foreign_changes
from tmdb_dagster.sandbox.draw import Draw, hashed
from tmdb_dagster.sandbox.life import FIRST_DAY, HIGHEST_ID, Revision, arrived_by, revision_on, still, trend
from tmdb_dagster.sandbox.movie import (
    AS_MADE,
    LANDMARKS,
    Json,
    Movie,
    Outline,
    details,
    imdb_id_of,
    list_row,
    make_movie,
    outline,
    popularity_of,
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

LIST_PAGE = 20
CHANGES_PAGE = 100

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


class Catalogue:
    """Movies by id, deterministic from the seed and the day.

    `today` is the clock by which they change; unless it is set to another, they stand still.
    """

    def __init__(self, *, seed: int = 1, movies: int = 2000) -> None:
        if movies < len(LANDMARKS):
            raise ValueError(f"A catalogue has at least {len(LANDMARKS)} movies, not {movies}.")
        self.seed = seed
        self.today: Callable[[], date] = still
        drawn = Draw(seed, "ids").sample(range(2, HIGHEST_ID), movies)
        others = [movie_id for movie_id in drawn if movie_id not in LANDMARKS]
        self.ids: tuple[int, ...] = tuple(sorted((*LANDMARKS, *others[: movies - len(LANDMARKS)])))
        self._known = frozenset(self.ids)
        self._changes: dict[int, Change] = {}
        self._outline = cache(self._make_outline)
        self._row = lru_cache(maxsize=4096)(self._make_row)
        self._body = lru_cache(maxsize=400)(self._make_body)
        self._sequences = lru_cache(maxsize=2)(self._make_sequences)
        self._moved = lru_cache(maxsize=32)(self._find_moved)
        self._known_as = cache(self._find_known_as)

    def __contains__(self, movie_id: int) -> bool:
        """True where TMDB would answer with the movie."""
        return self._exists(movie_id) and not self._change(movie_id).removed

    def _exists(self, movie_id: int) -> bool:
        return movie_id in self._known or movie_id in arrived_by(self.today())

    def _ids_on(self, day: date) -> tuple[int, ...]:
        return (*self.ids, *arrived_by(day))

    def _change(self, movie_id: int) -> Change:
        return self._changes.get(movie_id, Change())

    def _revision(self, movie_id: int) -> Revision:
        """What the days and touches have made of a movie."""
        lived, by_hand = self._lived(movie_id, self.today()), self._change(movie_id)
        return lived._replace(
            number=lived.number + by_hand.touches,
            overviews=lived.overviews + by_hand.touches,
            posters=lived.posters + by_hand.posters,
        )

    def _lived(self, movie_id: int, day: date) -> Revision:
        return revision_on(self.seed, movie_id, self._outline(movie_id).fame, day)

    def touch(self, movie_id: int, *, poster: bool = False) -> None:
        """Change a movie now: its votes and overview, and with `poster` also its poster; `/movie/changes` lists it."""
        old = self._change(self._checked(movie_id))
        self._changes[movie_id] = Change(old.touches + 1, old.posters + int(poster), removed=old.removed, at=utc_now())

    def remove(self, movie_id: int) -> None:
        """Delete a movie now: from here on it is a 404, and `/movie/changes` lists its id."""
        old = self._change(self._checked(movie_id))
        self._changes[movie_id] = Change(old.touches, old.posters, removed=True, at=utc_now())

    def _checked(self, movie_id: int) -> int:
        if not self._exists(movie_id):
            raise KeyError(f"There is no movie {movie_id} in this catalogue.")
        return movie_id

    def _make_outline(self, movie_id: int) -> Outline:
        return outline(self.seed, movie_id)

    @cached_property
    def _by_genre(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for movie_id in self.ids:
            found.setdefault(self._outline(movie_id).main_genre, []).append(movie_id)
        return found

    def movie(self, movie_id: int) -> Movie:
        """The movie in its present revision."""
        return make_movie(self.seed, self._outline(self._checked(movie_id)), self._revision(movie_id))

    def movie_as_made(self, movie_id: int) -> Movie:
        """The movie before any change, also where it was removed since."""
        return make_movie(self.seed, self._outline(movie_id))

    def body(self, movie_id: int, parts: tuple[str, ...], image_languages: frozenset[str | None] | None) -> Packed:
        """The details with these parts appended; `image_languages` are the ones to show, None for all."""
        make = self._make_body if "changes" in parts else self._body
        return make(movie_id, parts, image_languages, self._revision(movie_id))

    def _make_body(
        self, movie_id: int, parts: tuple[str, ...], image_languages: frozenset[str | None] | None, revision: Revision
    ) -> Packed:
        movie = make_movie(self.seed, self._outline(movie_id), revision)
        body = details(movie, self._shares_imdb_id_with(movie_id))
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
        position = bisect_left(self.ids, movie_id) if movie_id in self._known else 0
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
            "results": [orjson.Fragment(self._row(one, AS_MADE)) for one in chosen],
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
            "results": [orjson.Fragment(_with_media_type(self._row(one, AS_MADE))) for one in found],
            "total_pages": 2 if found else 1,
            "total_results": 2 * len(found),
        }

    def _make_row(self, movie_id: int, revision: Revision) -> bytes:
        return orjson.dumps(list_row(make_movie(self.seed, self._outline(movie_id), revision)))

    def list_page(self, name: ListName, page: int) -> Packed:
        """One page of a list; some movies are on two pages, as happens while TMDB's ranking moves."""
        day = self.today()
        sequence = [movie_id for movie_id in self._sequences(day)[name] if not self._change(movie_id).removed]
        rows = []
        for movie_id in sequence[(page - 1) * LIST_PAGE : page * LIST_PAGE]:
            row = self._row(movie_id, self._revision(movie_id))
            rows.append(_with_media_type(row) if name == "trending" else row)
        body: Json = {
            "page": page,
            "results": [orjson.Fragment(row) for row in rows],
            "total_pages": -(-len(sequence) // LIST_PAGE),
            "total_results": len(sequence),
        }
        if name == "now_playing":
            first, last = _in_cinemas(day)
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
            for movie_id, (title, released, _) in self._known_by()
            if all(word in title for word in words) and (year is None or released == year)
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
        parts = [one for one, (*_, collection) in self._known_by() if collection == collection_id]
        if not parts:
            return None
        about = details(self.movie(parts[0]), None)["belongs_to_collection"]
        return pack({**about, "overview": "", "parts": self._rows(parts)})

    def _known_by(self) -> Iterator[tuple[int, tuple[str, str, int | None]]]:
        """Title, year and collection of every movie."""
        return ((one, self._known_as(one)) for one in self._ids_on(self.today()) if one in self)

    def _find_known_as(self, movie_id: int) -> tuple[str, str, int | None]:
        body = details(self.movie_as_made(movie_id), None)
        collection = body["belongs_to_collection"]
        return body["title"].casefold(), body["release_date"][:4], collection and collection["id"]

    def _rows(self, movie_ids: Iterable[int]) -> list[orjson.Fragment]:
        return [orjson.Fragment(self._row(one, self._revision(one))) for one in movie_ids]

    def _make_sequences(self, day: date) -> dict[ListName, list[int]]:
        """The order of every list on a day."""
        first, last = _in_cinemas(day)
        popular = {
            one: popularity_of(self.seed, self._outline(one), self._lived(one, day)) for one in self._ids_on(day)
        }
        trending = {one: popularity * trend(self.seed, one, day) for one, popularity in popular.items()}
        playing = [one for one in popular if first <= (self._outline(one).released or date.max) <= last]
        return {
            "popular": self._with_repeats(sorted(popular, key=popular.__getitem__, reverse=True)),
            "now_playing": self._with_repeats(sorted(playing, key=popular.__getitem__, reverse=True)),
            "trending": self._with_repeats(sorted(popular, key=trending.__getitem__, reverse=True)),
        }

    def _with_repeats(self, ranking: list[int]) -> list[int]:
        """The ids of a ranking, in which some pages start with the movie that the page before ended with."""
        ids: list[int] = []
        for movie_id in ranking:
            if ids and len(ids) % LIST_PAGE == 0 and hashed(self.seed, "repeat", len(ids)) % 3 == 0:
                ids.append(ids[-1])
            ids.append(movie_id)
        return ids

    def changes_page(self, start: date, end: date, page: int) -> Json:
        """`GET /movie/changes`: what has changed or appeared, among ids of movies not in this catalogue."""
        days = [start + timedelta(days=offset) for offset in range((end - start).days + 1)]
        ours = dict.fromkeys([*self._touched(start, end), *(one for day in days for one in self._moved_on(day))])
        rows = [{"id": movie_id, "adult": False} for movie_id in ours]
        rows += [row for day in days for row in foreign_changes(self.seed, day) if row["id"] not in self._known]
        return {
            "results": rows[(page - 1) * CHANGES_PAGE : page * CHANGES_PAGE],
            "page": page,
            "total_pages": -(-len(rows) // CHANGES_PAGE),
            "total_results": len(rows),
        }

    def _touched(self, start: date, end: date) -> list[int]:
        return [
            movie_id
            for movie_id, change in list(self._changes.items())
            if change.at is not None and start <= change.at.date() <= end
        ]

    def _moved_on(self, day: date) -> list[int]:
        return self._moved(day) if FIRST_DAY < day <= self.today() else []

    def _find_moved(self, day: date) -> list[int]:
        """What changed on that day, or appeared on it."""
        return [one for one in self._ids_on(day) if self._lived(one, day).day == day]

    def movie_changes(self, movie_id: int, start: date, end: date) -> Json:
        """`GET /movie/{id}/changes`: what the movie's last changes changed, where they were in those days."""
        lived = self._lived(movie_id, self.today())
        return changes_of(self.movie(movie_id), lived, self._change(movie_id).at, start, end)


def _in_cinemas(day: date) -> tuple[date, date]:
    return day - timedelta(days=42), day + timedelta(days=7)
