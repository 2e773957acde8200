"""The transform's door: one movie of TMDB's in, the rows of every table out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tmdb_dagster.tmdb.models import Collection, Company, ExternalIds, Movie
from tmdb_dagster.transform.distinct import distinct_by, distinct_names
from tmdb_dagster.transform.images import ImageUrls, image_key
from tmdb_dagster.transform.media import main_trailer, still_images, trailers
from tmdb_dagster.transform.people import cast_members, crew_members, first_with_job
from tmdb_dagster.transform.release import certification
from tmdb_dagster.transform.rows import (
    CollectionEntry,
    CompanyEntry,
    Credited,
    MetaRow,
    MovieRows,
    WorkRow,
)
from tmdb_dagster.transform.score import ScorePrior, aggregate_rows, rating_row
from tmdb_dagster.transform.similar import others, similar_rows, similar_sources
from tmdb_dagster.transform.streaming import streaming
from tmdb_dagster.transform.text import overview_short, runtime_display, text_or_none

__all__ = ["SCHEMA_VERSION", "Countries", "ImageUrls", "MovieRows", "ScorePrior", "transform_movie"]

SCHEMA_VERSION = 5
"""The version of the rules in this package, kept in works_meta.schema_version. Raise it with any change of a
rule: works below it count as stale, and a rebuild from the raw responses brings them up to date."""


@dataclass(frozen=True)
class Countries:
    """Of which countries what differs by country is wanted: watch providers, and the certification (ISO 3166-1)."""

    watch: Sequence[str]
    certification: str


def transform_movie(  # noqa: PLR0913 - a pure function is given all that it depends on, by keyword
    movie: Movie,
    *,
    work_id: int,
    fetched_at: datetime,
    prior: ScorePrior,
    countries: Countries,
    images: ImageUrls,
) -> MovieRows:
    """The rows of a movie as fetched at `fetched_at`, all but its card (card.py), with the URLs that `images` gives.

    Raises ValueError for a `fetched_at` without a time zone.
    """
    if fetched_at.utcoffset() is None:
        raise ValueError("fetched_at needs a time zone")
    return MovieRows(
        work=_work_row(movie, work_id),
        meta=_meta_row(movie, work_id, fetched_at, countries, images),
        rating=rating_row(work_id, movie.vote_average, movie.vote_count),
        aggregates=aggregate_rows(work_id, movie.vote_average, movie.vote_count, prior),
        similar=similar_rows(movie, work_id, images),
        similar_sources=similar_sources(movie),
        images=[{"work_id": work_id, "key": key, "sha256": sha256} for key, sha256 in images.stored.items()],
        credited=Credited(
            director=first_with_job(movie.credits, "Director"),
            writer=first_with_job(movie.credits, "Writer"),
            screenplay=first_with_job(movie.credits, "Screenplay"),
            composer=first_with_job(movie.credits, "Original Music Composer"),
        ),
    )


def _work_row(movie: Movie, work_id: int) -> WorkRow:
    released = movie.release_date
    return {
        "work_id": work_id,
        "tmdb_id": str(movie.id),
        "imdb_id": text_or_none(movie.imdb_id),
        "title": movie.title,
        "original_title": text_or_none(movie.original_title),
        "year": released.year if released else None,
        "release_date": released.isoformat() if released else None,
    }


def _meta_row(movie: Movie, work_id: int, fetched_at: datetime, countries: Countries, images: ImageUrls) -> MetaRow:
    trailer = main_trailer(movie.videos)
    backdrop = image_key("backdrop", work_id)
    return {
        "work_id": work_id,
        "runtime_minutes": movie.runtime or None,
        "runtime_display": runtime_display(movie.runtime),
        "tagline": text_or_none(movie.tagline),
        "overview": text_or_none(movie.overview),
        "overview_short": overview_short(movie.overview),
        "genres": distinct_names(genre.name for genre in movie.genres),
        "keywords": distinct_names(keyword.name for keyword in movie.keywords.keywords) if movie.keywords else [],
        "certification": certification(movie.release_dates, countries.certification),
        "poster_url_small": images.image(movie.poster_path, "w154"),
        "poster_url_medium": images.shown(
            images.image(movie.poster_path, "w342"), image_key("poster", work_id, "medium")
        ),
        "poster_url_large": images.shown(
            images.image(movie.poster_path, "w500"), image_key("poster", work_id, "large")
        ),
        "poster_url_original": images.image(movie.poster_path, "original"),
        "backdrop_url": images.shown(images.image(movie.backdrop_path, "w1280"), backdrop),
        "backdrop_url_mobile": images.shown(images.image(movie.backdrop_path, "w780"), backdrop),
        "trailer_youtube_id": trailer,
        "trailer_thumbnail": images.shown(images.thumbnail(trailer), image_key("trailer", work_id, "thumb")),
        "cast_members": cast_members(movie.credits, images),
        "crew_members": crew_members(movie.credits, images),
        "trailers": trailers(movie.videos, work_id, images),
        "still_images": still_images(movie.images, work_id, images),
        "streaming": streaming(movie.watch_providers, countries.watch, fetched_at),
        "production_companies": _companies(movie.production_companies),
        "collection": _collection(movie.belongs_to_collection),
        "production_countries": distinct_names(country.name for country in movie.production_countries),
        "spoken_languages": distinct_names(
            language.name or language.english_name for language in movie.spoken_languages
        ),
        "original_language": text_or_none(movie.original_language),
        "budget": movie.budget or None,
        "revenue_worldwide": movie.revenue or None,
        "similar_movie_ids": [one.id for one in others(movie.similar, movie)],
        "external_ids": _external_ids(movie.external_ids),
        "schema_version": SCHEMA_VERSION,
        "fetched_at": fetched_at.isoformat(),
    }


def _companies(companies: Sequence[Company]) -> list[CompanyEntry]:
    return [
        {"id": company.id, "name": company.name, "logo_path": text_or_none(company.logo_path)}
        for company in distinct_by(companies, key=lambda company: company.id)
    ]


def _collection(collection: Collection | None) -> CollectionEntry | None:
    if collection is None:
        return None
    return {
        "id": collection.id,
        "name": collection.name,
        "poster_path": text_or_none(collection.poster_path),
        "backdrop_path": text_or_none(collection.backdrop_path),
    }


def _external_ids(ids: ExternalIds | None) -> dict[str, str] | None:
    """The ids that TMDB knows; None where its answer does not have the part."""
    return None if ids is None else {name: found for name, found in ids.model_dump().items() if text_or_none(found)}
