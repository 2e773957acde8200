"""TMDB's answers as typed values: what the transform reads, and nothing else.

A malformed part costs its own fields and never the movie; only an answer without a usable id or title is
refused. Keys that are not declared here are ignored. Fields and nullability follow recorded answers and
https://developer.themoviedb.org/reference/movie-details, which claims fewer nulls than there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from tmdb_dagster.tmdb.bodies import LONGEST_TITLE, with_crew, with_regions, with_title
from tmdb_dagster.tmdb.errors import InvalidResponse
from tmdb_dagster.tmdb.lenient import MAX_ELEMENTS, unfit_fields, validated
from tmdb_dagster.tmdb.parts import OPTIONAL_PARTS, missing_parts
from tmdb_dagster.tmdb.texts import is_visible, with_translated_texts

_DATE = re.compile(r"\s*([0-9]{4}-[0-9]{2}-[0-9]{2})([T ].*)?", re.DOTALL)


def _iso_date(value: object) -> date | None:
    """The date that a text begins with: TMDB has sent a time with it for hours."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and (found := _DATE.fullmatch(value)):
        with suppress(ValueError):  # a day that no calendar has
            return date.fromisoformat(found[1])
    raise ValueError("Input should be a date as YYYY-MM-DD")


def _without_gaps(value: object) -> object:
    """An id as it was pasted into TMDB, without white space and invisible characters, in small letters."""
    return "".join(filter(is_visible, value)).lower() if isinstance(value, str) else value


# The bounds are those of Postgres: INTEGER, BIGINT, and for the title, which is indexed, a B-tree entry of at
# most 2,704 bytes: https://www.postgresql.org/docs/current/btree.html
Count = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
TmdbId = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
Dollars = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]
VoteAverage = Annotated[float, Field(strict=True, ge=0, le=10, allow_inf_nan=False)]
Popularity = Annotated[
    float,
    Field(strict=True, ge=0, le=1e9, allow_inf_nan=False),
    AfterValidator(lambda value: round(value, 4)),
]
ReleaseDate = Annotated[date | None, BeforeValidator(_iso_date)]
Title = Annotated[str, Field(pattern=r"\S", max_length=LONGEST_TITLE)]
Name = Annotated[str, Field(min_length=1)]
ImdbId = Annotated[str, BeforeValidator(_without_gaps), Field(pattern=r"^(tt[0-9]{1,12})?$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ListedMovie(_Model):
    """A movie as a list (`/movie/popular` and the like) shows it."""

    id: TmdbId
    title: Title
    original_title: str | None = None
    popularity: Popularity | None = None
    vote_average: VoteAverage | None = None
    vote_count: Count | None = None
    release_date: ReleaseDate = None
    poster_path: str | None = None
    adult: bool | None = None
    softcore: bool | None = None
    original_language: str | None = None


class _ListBody(_Model):
    page: TmdbId
    results: tuple[ListedMovie, ...]
    total_pages: Count
    total_results: Count | None = None


class Genre(_Model):
    name: Name


class Company(_Model):
    id: TmdbId
    name: Name
    logo_path: str | None = None


class Country(_Model):
    name: Name


class Language(_Model):
    name: str = ""
    """In the language itself; TMDB has "" for some."""
    english_name: str = ""


class Collection(_Model):
    id: TmdbId
    name: Name
    poster_path: str | None = None
    backdrop_path: str | None = None


class CastMember(_Model):
    id: TmdbId
    name: Name
    character: str | None = None
    order: Count | None = None
    gender: Count | None = None
    profile_path: str | None = None


class CrewMember(_Model):
    id: TmdbId
    name: Name
    job: str
    department: str | None = None
    profile_path: str | None = None


class Credits(_Model):
    cast: tuple[CastMember, ...] = ()
    crew: tuple[CrewMember, ...] = ()


class Video(_Model):
    key: str
    site: str
    type: str = ""
    name: str = ""
    official: bool = False
    iso_639_1: str | None = None


class Videos(_Model):
    results: tuple[Video, ...] = ()


class SimilarMovie(_Model):
    id: TmdbId
    title: Title | None = None
    release_date: ReleaseDate = None
    poster_path: str | None = None
    adult: bool | None = None
    softcore: bool | None = None


class SimilarMovies(_Model):
    results: tuple[SimilarMovie, ...] = ()


class ExternalIds(_Model):
    imdb_id: ImdbId | None = None
    wikidata_id: str | None = None
    facebook_id: str | None = None
    instagram_id: str | None = None
    twitter_id: str | None = None


class Release(_Model):
    certification: str | None = None
    type: Count | None = None
    """1 premiere, 2 theatrical (limited), 3 theatrical, 4 digital, 5 physical, 6 TV."""


class CountryReleases(_Model):
    iso_3166_1: str
    release_dates: tuple[Release, ...] = ()


class ReleaseDates(_Model):
    results: tuple[CountryReleases, ...] = ()


class Image(_Model):
    file_path: Name


class Images(_Model):
    backdrops: tuple[Image, ...] = ()


class Keyword(_Model):
    name: Name


class Keywords(_Model):
    keywords: tuple[Keyword, ...] = ()


class WatchProvider(_Model):
    provider_id: Count
    provider_name: Name
    logo_path: str | None = None


class RegionProviders(_Model):
    link: str | None = None
    flatrate: tuple[WatchProvider, ...] = ()
    rent: tuple[WatchProvider, ...] = ()
    buy: tuple[WatchProvider, ...] = ()
    ads: tuple[WatchProvider, ...] = ()
    free: tuple[WatchProvider, ...] = ()


class WatchProviders(_Model):
    results: dict[str, RegionProviders] = Field(default_factory=dict)
    """By ISO 3166-1 code, in capitals."""


class _Details(_Model):
    """`GET /movie/{id}` without its PARTS."""

    id: TmdbId
    title: Title
    imdb_id: ImdbId | None = None
    original_title: str | None = None
    original_language: str | None = None
    overview: str | None = None
    tagline: str | None = None
    release_date: ReleaseDate = None
    runtime: Count | None = None
    """Minutes; 0 means unknown."""
    budget: Dollars | None = None
    """US dollars; 0 means unknown, as with the revenue."""
    revenue: Dollars | None = None
    vote_average: VoteAverage | None = None
    vote_count: Count | None = None
    poster_path: str | None = None
    backdrop_path: str | None = None
    belongs_to_collection: Collection | None = None
    genres: tuple[Genre, ...] = ()
    production_companies: tuple[Company, ...] = ()
    production_countries: tuple[Country, ...] = ()
    spoken_languages: tuple[Language, ...] = ()


class Movie(_Details):
    """`GET /movie/{id}` with the PARTS appended that are read; one that is missing or malformed is None."""

    adult: bool | None = None
    softcore: bool | None = None
    credits: Credits | None = None
    videos: Videos | None = None
    similar: SimilarMovies | None = None
    recommendations: SimilarMovies | None = None
    external_ids: ExternalIds | None = None
    release_dates: ReleaseDates | None = None
    images: Images | None = None
    keywords: Keywords | None = None
    watch_providers: WatchProviders | None = Field(default=None, alias="watch/providers")


@dataclass(frozen=True)
class ParsedMovie:
    """A movie, and what had to be left out of the answer, as short texts for an operator."""

    movie: Movie
    problems: tuple[str, ...]


@dataclass(frozen=True)
class ListPage:
    """One page of a movie list; `problems` names the rows and fields that were left out."""

    page: int
    results: tuple[ListedMovie, ...]
    total_pages: int
    """As TMDB says, which may be more than the 500 pages that it serves."""
    total_results: int | None
    problems: tuple[str, ...] = ()


def parse_movie(
    body: object,
    regions: Iterable[str] | None = None,
    language: str | None = None,
    fallback: str | None = None,
) -> ParsedMovie:
    """The movie in the decoded body of `GET /movie/{id}`; with `regions` the watch providers of others are left out.

    With `language` (`de-DE`) its videos in that language come first; the rest are there for movies that have none.
    With `fallback` (`en-US`) title, overview and tagline that are empty are those in that language, else those in the
    original one.
    Raises InvalidResponse where the body is no object or has no usable id or title. `body` is not changed.
    """
    if isinstance(body, dict):
        lacking = dict.fromkeys(missing_parts(body, OPTIONAL_PARTS))
        body = {**(body if fallback is None else with_translated_texts(body, fallback)), **lacking}
    if regions is not None:
        body = with_regions(body, regions)
    movie, problems = validated(Movie, with_title(with_crew(body)), "movie")
    if language is not None and movie.videos is not None:
        spoken = language.partition("-")[0]
        results = sorted(movie.videos.results, key=lambda video: video.iso_639_1 != spoken)
        movie = movie.model_copy(update={"videos": Videos(results=tuple(results))})
    return ParsedMovie(movie, problems)


def parse_list_page(body: object) -> ListPage:
    """The page in the decoded body of a movie list; rows without a usable id or title are dropped.

    Raises InvalidResponse where page, total_pages or results are unusable, or no row of several is usable.
    """
    match body:
        case {"results": list(rows), **others}:
            body = {**others, "results": [with_title(row) for row in rows[:MAX_ELEMENTS]]}
    page, problems = validated(_ListBody, body, "list page")
    if not page.results and isinstance(body, dict) and body["results"]:
        raise InvalidResponse(f"No row of the list page is usable: {'; '.join(problems)}")
    return ListPage(page.page, page.results, page.total_pages, page.total_results, problems)


def parse_movie_rows(body: object, key: str) -> tuple[ListedMovie, ...]:
    """The movies under a key of a body, such as `movie_results`. Raises InvalidResponse where there is no such list."""
    rows = body.get(key) if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise InvalidResponse(f"The answer has no list {key}.")
    return parse_list_page({"page": 1, "total_pages": 1, "results": rows}).results


def is_adult(body: Mapping[str, Any]) -> bool:
    """Whether the body of a movie calls it adult or softcore."""
    return body.get("adult") is True or body.get("softcore") is True


def with_values_from(
    body: Mapping[str, Any], previous: Mapping[str, Any] | None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The answer, with other values that it lacks taken over from a previous answer; also which those are.

    So a release date in an unheard-of form keeps the one that is known. What TMDB says to be unknown is taken at its
    word.
    """
    lacking = lacking_values(body)
    sound = set(previous or {}) - lacking_values(previous or {})
    kept = sorted(lacking & sound)
    return {**body, **{name: previous[name] for name in kept if previous}}, tuple(kept)


def lacking_values(body: Mapping[str, Any]) -> frozenset[str]:
    """The values, PARTS apart, that an answer lacks or has in a form that cannot be read."""
    details = {name: body[name] for name in _Details.model_fields if name in body}
    return frozenset(_Details.model_fields.keys() - details.keys()) | unfit_fields(_Details, details)
