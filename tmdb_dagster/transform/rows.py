"""What one movie becomes: a row for each table, ready for JSON.

Field names are column names. Dates and times are ISO 8601 strings, so that a row can be written with
`jsonb_populate_recordset`. A list is never None: it is empty where TMDB has nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict


class WorkRow(TypedDict):
    """Table works."""

    work_id: int
    tmdb_id: str
    imdb_id: str | None
    title: str
    original_title: str | None
    year: int | None
    release_date: str | None


class CastEntry(TypedDict):
    person_id: str
    name: str
    character: str | None
    order: int | None
    photo_url_small: str | None
    photo_url_medium: str | None
    photo_url_large: str | None
    gender: str


class CrewEntry(TypedDict):
    person_id: str
    name: str
    job: str
    department: str | None
    photo_url_small: str | None
    photo_url_medium: str | None


class TrailerEntry(TypedDict):
    key: str
    name: str
    type: str
    thumbnail_url: str | None


class CompanyEntry(TypedDict):
    id: int
    name: str
    logo_path: str | None


class CollectionEntry(TypedDict):
    id: int
    name: str
    poster_path: str | None
    backdrop_path: str | None


class MetaRow(TypedDict):
    """Table works_meta: the columns that come from TMDB."""

    work_id: int
    runtime_minutes: int | None
    runtime_display: str | None
    tagline: str | None
    overview: str | None
    overview_short: str | None
    genres: list[str]
    keywords: list[str]
    certification: str | None
    poster_url_small: str | None
    poster_url_medium: str | None
    poster_url_large: str | None
    poster_url_original: str | None
    backdrop_url: str | None
    backdrop_url_mobile: str | None
    trailer_youtube_id: str | None
    trailer_thumbnail: str | None
    cast_members: list[CastEntry]
    crew_members: list[CrewEntry]
    trailers: list[TrailerEntry]
    still_images: list[str]
    streaming: dict[str, Any] | None
    production_companies: list[CompanyEntry]
    collection: CollectionEntry | None
    production_countries: list[str]
    spoken_languages: list[str]
    original_language: str | None
    budget: int | None
    revenue_worldwide: int | None
    similar_movie_ids: list[int]
    external_ids: dict[str, str] | None
    """None where no answer had them: what is in the table stays."""
    schema_version: int
    fetched_at: str


class RatingRow(TypedDict):
    """Table rating_sources."""

    work_id: int
    source_name: str
    scale_type: str
    value_raw: float
    value_0_100: float
    votes_count: int


class SourceScore(TypedDict):
    score: float
    """0 to 100, as all scores but value_raw."""
    votes: int


class AggregateRow(TypedDict):
    """Table aggregates: the AI score by one method."""

    work_id: int
    method_version: str
    ai_score: float | None
    ai_score_low: float | None
    ai_score_high: float | None
    n_audience: int
    n_critics: int
    audience_score: float | None
    source_scores: dict[str, SourceScore]
    inputs_fingerprint: str


class SimilarRow(TypedDict):
    """Table similar_movies."""

    work_id: int
    similar_tmdb_id: str
    source: str
    rank_order: int
    confidence: float
    notes: str
    title: str | None
    year: int | None
    poster_url: str | None


class WorkImageRow(TypedDict):
    """Table work_images."""

    work_id: int
    key: str
    sha256: str | None


class CardRow(TypedDict):
    """Table work_cards_cache; card_schema.py describes the payload."""

    work_id: int
    payload: dict[str, Any]
    payload_short: dict[str, Any]
    etag: str


@dataclass(frozen=True)
class Credited:
    """The names that a card gives for four jobs: the first of each."""

    director: str | None
    writer: str | None
    screenplay: str | None
    composer: str | None


@dataclass(frozen=True)
class MovieRows:
    """All rows of one movie but its card, which is made of them once it is known which IMDb id the work keeps.

    `rating` is None where TMDB gives no vote average; `images` are the wanted ones, none where images stay at TMDB.
    `similar_sources` are those of which the answer says what is similar: of others, what is in the table stays.
    """

    work: WorkRow
    meta: MetaRow
    rating: RatingRow | None
    aggregates: list[AggregateRow]
    similar: list[SimilarRow]
    similar_sources: tuple[str, ...]
    images: list[WorkImageRow]
    credited: Credited
