"""Fetches one claimed movie, transforms it and rehosts its images; in a thread, beside others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tmdb_dagster.pipeline.outcome import MovieOutcome, Status
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.tmdb.models import (
    Movie,
    is_adult,
    lacking_values,
    parse_movie,
    with_values_from,
)
from tmdb_dagster.tmdb.parts import REQUIRED_PARTS, missing_parts, with_parts_from
from tmdb_dagster.transform.admission import Exclusion
from tmdb_dagster.transform.image_plan import planned_images
from tmdb_dagster.transform.movie import SCHEMA_VERSION, Countries, transform_movie
from tmdb_dagster.warehouse.claims import Claim, still_claimed
from tmdb_dagster.warehouse.movies import FetchedMovie
from tmdb_dagster.warehouse.responses import canonical, read_response, stored_response
from tmdb_dagster.warehouse.transaction import run_transaction

TAKEN_OVER = "Another run took the movie over"


@dataclass(frozen=True)
class Fetched:
    """What became of a movie, and what is to be written of it; None: nothing."""

    outcome: MovieOutcome
    fetched: FetchedMovie | None = None
    spared: bool = False
    """The movie failed in an outage: its work stays as it was before the claim."""


def fetch_movie(run: Run, one: Claim, lapses: int) -> Fetched:
    """Fetch and transform a movie, and rehost its images; runs in a thread. `lapses`: of the lease, at the claim."""
    if not run.lease.held_since(lapses) and not run_transaction(run.engine, still_claimed, run.run_id, one.work_id):
        return Fetched(MovieOutcome(one.tmdb_id, Status.BUSY, one.title, one.year, one.work_id, message=TAKEN_OVER))
    body = run.tmdb.movie(one.tmdb_id)
    fetched_at = run.lease.now()
    body, problems = _with_what_was_known(run, one, body)
    unknown = missing_parts(body, REQUIRED_PARTS)
    content, content_hash = canonical(body)
    unchanged = content_hash == one.content_hash and one.schema_version == SCHEMA_VERSION
    unwanted = is_adult(body) and not run.settings.ingest_include_adult
    if unchanged and (one.rehosted or run.rehoster is None):
        fetched = FetchedMovie(one.work_id, fetched_at, None, None, unknown, unwanted)
        outcome = MovieOutcome(
            one.tmdb_id, Status.UNCHANGED, one.title, one.year, one.work_id, one.etag, one.poster_url
        )
    else:
        settings = run.settings
        parsed = parse_movie(body, settings.tmdb_watch_regions, settings.tmdb_language, settings.tmdb_language_fallback)
        if one.refusable and (exclusion := _exclusion(run, body, parsed.movie)):
            return Fetched(_kept_out(run, one, parsed.movie, exclusion))
        images, report = run.images, None
        if run.rehoster is not None:
            images, report = run.rehoster.rehost(one.work_id, planned_images(parsed.movie, one.work_id, fetched_at))
        rows = transform_movie(
            parsed.movie,
            work_id=one.work_id,
            fetched_at=fetched_at,
            prior=run.prior,
            countries=Countries(settings.tmdb_watch_regions, settings.tmdb_certification_country),
            images=images,
        )
        response = None if unchanged else stored_response(content, content_hash)
        fetched = FetchedMovie(one.work_id, fetched_at, rows, response, unknown, unwanted)
        problems += parsed.problems
        title, year = rows.work["title"], rows.work["year"]
        status = Status.UNCHANGED if unchanged else Status.INGESTED
        outcome = MovieOutcome(one.tmdb_id, status, title, year, one.work_id, one.etag, one.poster_url, images=report)
    times = run.response_times.pop(one.tmdb_id, [])
    outcome = replace(
        outcome,
        calls=len(times),
        duration_ms=sum(times),
        message="; ".join(problems) or None,
    )
    return Fetched(outcome, fetched)


def _with_what_was_known(run: Run, one: Claim, body: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The answer with what it lacks as the answer before had it, and what it lacks."""
    missing = missing_parts(body)
    if not missing and not lacking_values(body):
        return body, ()
    previous = run_transaction(run.engine, read_response, one.work_id)
    body, kept = with_values_from(with_parts_from(body, previous), previous)
    return body, (
        *(f"{part}: missing or malformed in TMDB's answer" for part in missing),
        *(f"{value}: as it was before, for TMDB's answer does not say it" for value in kept),
    )


def _exclusion(run: Run, body: Mapping[str, Any], movie: Movie) -> Exclusion | None:
    return run.admission.exclusion(adult=is_adult(body), votes=movie.vote_count, language=movie.original_language)


def _kept_out(run: Run, one: Claim, movie: Movie, exclusion: Exclusion) -> MovieOutcome:
    times = run.response_times.pop(one.tmdb_id, [])
    return MovieOutcome(
        one.tmdb_id,
        Status.EXCLUDED,
        movie.title,
        work_id=one.work_id,
        calls=len(times),
        duration_ms=sum(times),
        message=str(exclusion),
    )
