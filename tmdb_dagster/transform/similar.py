"""Which movies TMDB calls similar, and which it recommends."""

from __future__ import annotations

from tmdb_dagster.tmdb.models import Movie, SimilarMovie, SimilarMovies
from tmdb_dagster.transform.distinct import distinct_by
from tmdb_dagster.transform.images import ImageUrls
from tmdb_dagster.transform.rows import SimilarRow

SIMILAR = "tmdb"
"""The source of the movies that TMDB calls similar; of these similar_movie_ids and the card are made."""

_RECOMMENDED = "tmdb_recommendation"
_NOTES = {SIMILAR: "Similar on TMDB", _RECOMMENDED: "Recommended on TMDB"}
_LENGTH = 10
_CONFIDENCE = 0.3


def others(found: SimilarMovies | None, movie: Movie) -> list[SimilarMovie]:
    """The first 10 movies of a list, each once, without the movie itself.

    Of adult ones beside a movie that is none only the id is told: whoever shows the movie would show their posters.
    """
    listed = found.results if found else ()
    first = distinct_by((one for one in listed if one.id != movie.id), key=lambda one: one.id)[:_LENGTH]
    return [SimilarMovie(id=one.id) if _is_adult(one) and not _is_adult(movie) else one for one in first]


def _is_adult(movie: Movie | SimilarMovie) -> bool:
    return bool(movie.adult or movie.softcore)


def similar_sources(movie: Movie) -> tuple[str, ...]:
    """The sources of which the answer says something; what it lacks of recommendations says nothing of them."""
    return (SIMILAR,) if movie.recommendations is None else (SIMILAR, _RECOMMENDED)


def similar_rows(movie: Movie, work_id: int, images: ImageUrls) -> list[SimilarRow]:
    """The rows of both sources, each ranked from 1; a movie that both name has two."""
    lists = {SIMILAR: movie.similar, _RECOMMENDED: movie.recommendations}
    return [
        {
            "work_id": work_id,
            "similar_tmdb_id": str(one.id),
            "source": source,
            "rank_order": rank,
            "confidence": _CONFIDENCE,
            "notes": _NOTES[source],
            "title": one.title,
            "year": one.release_date.year if one.release_date else None,
            "poster_url": images.image(one.poster_path, "w342"),
        }
        for source, found in lists.items()
        for rank, one in enumerate(others(found, movie), start=1)
    ]
