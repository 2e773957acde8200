"""Writes movies: all their rows in one transaction, only by the run that claimed them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from tmdb_dagster.transform.card import card_row
from tmdb_dagster.transform.rows import CardRow, MovieRows
from tmdb_dagster.warehouse.engine import json_parameter
from tmdb_dagster.warehouse.exclusions import IS_EXCLUDED
from tmdb_dagster.warehouse.responses import StoredResponse
from tmdb_dagster.warehouse.upsert import Target, upsert

_OWNED = text(f"""
    SELECT work_id FROM works w
    WHERE work_id = ANY(:work_ids) AND claimed_by = :run_id AND NOT {IS_EXCLUDED.format(tmdb_id="w.tmdb_id")}
    ORDER BY work_id FOR UPDATE
""")  # noqa: S608 - a constant
_TAKEN_IMDB_IDS = text("""
    SELECT imdb_id, work_id FROM works WHERE imdb_id = ANY(:imdb_ids)
""")
# Whoever follows the cards has dropped these, and meets them again by their time.
_SHOW_AGAIN = text("""
    UPDATE work_cards_cache k SET computed_at = clock_timestamp() FROM works w
    WHERE w.work_id = k.work_id AND w.work_id = ANY(:work_ids) AND w.gone_at IS NOT NULL
""")
_COMPLETE = text("""
    UPDATE works
    SET ingestion_status = 'complete', ingestion_error = NULL, gone_at = NULL, merged_into = NULL, claimed_by = NULL,
        status_before_claim = NULL, failures = 0, retry_at = NULL, last_refreshed_at = f.fetched_at,
        missing_parts = f.missing_parts,
        incomplete_answers = CASE WHEN f.missing_parts IS NULL THEN 0 ELSE incomplete_answers + 1 END,
        adult_since = CASE WHEN f.adult THEN coalesce(adult_since, f.fetched_at) END
    FROM jsonb_to_recordset(CAST(:fetched AS jsonb))
        AS f(work_id bigint, fetched_at timestamptz, missing_parts text[], adult boolean)
    WHERE works.work_id = f.work_id
""")
_CONFIRM_RESPONSES = text("""
    UPDATE movie_responses r SET fetched_at = f.fetched_at
    FROM jsonb_to_recordset(CAST(:fetched AS jsonb)) AS f(work_id bigint, fetched_at timestamptz)
    WHERE r.work_id = f.work_id
""")
_IDENTIFY = text("""
    UPDATE works w
    SET imdb_id = r.imdb_id, title = r.title, original_title = r.original_title, year = r.year,
        release_date = r.release_date, updated_at = clock_timestamp()
    FROM jsonb_populate_recordset(NULL::works, CAST(:rows AS jsonb)) r
    WHERE w.work_id = r.work_id
        AND (w.imdb_id, w.title, w.original_title, w.year, w.release_date)
            IS DISTINCT FROM (r.imdb_id, r.title, r.original_title, r.year, r.release_date)
""")
_STORE_RESPONSES = text("""
    INSERT INTO movie_responses AS t (work_id, body, body_bytes, content_hash, fetched_at)
    SELECT * FROM unnest(
        CAST(:work_ids AS bigint[]), CAST(:bodies AS bytea[]), CAST(:sizes AS integer[]), CAST(:hashes AS text[]),
        CAST(:moments AS timestamptz[])
    )
    ON CONFLICT (work_id) DO UPDATE SET
        body = EXCLUDED.body, body_bytes = EXCLUDED.body_bytes, content_hash = EXCLUDED.content_hash,
        fetched_at = EXCLUDED.fetched_at
""")
_DROP_OLD_SIMILAR = text("""
    DELETE FROM similar_movies s
    USING jsonb_to_recordset(CAST(:answered AS jsonb)) AS a(work_id bigint, source text)
    WHERE s.work_id = a.work_id AND s.source = a.source AND NOT EXISTS (
        SELECT FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS n(work_id bigint, source text, similar_tmdb_id text)
        WHERE n.work_id = s.work_id AND n.source = s.source AND n.similar_tmdb_id = s.similar_tmdb_id
    )
""")
_DROP_OLD_IMAGES = text("""
    DELETE FROM work_images s
    WHERE s.work_id = ANY(:work_ids) AND NOT EXISTS (
        SELECT FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS n(work_id bigint, key text)
        WHERE n.work_id = s.work_id AND n.key = s.key
    )
""")

_META = Target("works_meta", ("work_id",), ("fetched_at", "updated_at", "streaming.updated_at"), ("external_ids",))
_RATINGS = Target("rating_sources", ("work_id", "source_name"), ("last_seen_at",))
_SCORES = Target("aggregates", ("work_id", "method_version"), ("computed_at",))
# Of a card only the etag counts.
_CARDS = Target("work_cards_cache", ("work_id",), ("payload", "payload_short", "computed_at"))
_SIMILAR = Target("similar_movies", ("work_id", "similar_tmdb_id", "source"))
_IMAGES = Target("work_images", ("work_id", "key"))


@dataclass(frozen=True)
class FetchedMovie:
    """A movie as fetched; `rows` and `response` are None where TMDB's answer has not changed.

    `missing_parts` are those that neither this answer nor an earlier one had. `adult`: TMDB calls it so, and the
    settings admit none.
    """

    work_id: int
    fetched_at: datetime
    rows: MovieRows | None
    response: StoredResponse | None
    missing_parts: tuple[str, ...] = ()
    adult: bool = False


@dataclass(frozen=True)
class Written:
    """What a write did: the works written, the cards of those that changed, and the IMDb ids that were left out.

    An IMDb id is left out because another work has it. Cards and ids are by work_id.
    """

    work_ids: frozenset[int]
    cards: Mapping[int, CardRow]
    imdb_clashes: Mapping[int, str]


def write_movies(connection: Connection, run_id: str, movies: Sequence[FetchedMovie]) -> Written:
    """Complete the claims of this run on `movies`; those that it has lost, or that are excluded, are left out."""
    owned = frozenset(
        connection.scalars(_OWNED, {"run_id": run_id, "work_ids": sorted(movie.work_id for movie in movies)})
    )
    mine = [movie for movie in movies if movie.work_id in owned]
    fetched = json_parameter(
        [
            {
                "work_id": m.work_id,
                "fetched_at": m.fetched_at,
                "missing_parts": list(m.missing_parts) or None,
                "adult": m.adult,
            }
            for m in mine
        ]
    )
    changed = {m.work_id: m.rows for m in mine if m.rows is not None}
    written = write_rows(connection, changed)
    answers = [(movie, movie.response) for movie in mine if movie.response is not None]
    connection.execute(
        _STORE_RESPONSES,
        {
            "work_ids": [movie.work_id for movie, _ in answers],
            "bodies": [response.body for _, response in answers],
            "sizes": [response.body_bytes for _, response in answers],
            "hashes": [response.content_hash for _, response in answers],
            "moments": [movie.fetched_at for movie, _ in answers],
        },
    )
    if any(movie.response is None for movie in mine):
        connection.execute(_CONFIRM_RESPONSES, {"fetched": fetched})
    connection.execute(_SHOW_AGAIN, {"work_ids": sorted(owned)})
    connection.execute(_COMPLETE, {"fetched": fetched})
    return replace(written, work_ids=owned)


def write_rows(connection: Connection, rows: Mapping[int, MovieRows]) -> Written:
    """Write the derived rows of works that the transaction has locked, by work_id, and their cards."""
    if not rows:
        return Written(frozenset(), {}, {})
    movies, clashes = _identify(connection, list(rows.values()))
    cards = {movie.work["work_id"]: card_row(movie) for movie in movies}
    similar = [row for movie in movies for row in movie.similar]
    ratings = [movie.rating for movie in movies if movie.rating is not None]
    scores = [row for movie in movies for row in movie.aggregates]
    now = connection.scalar(text("SELECT clock_timestamp()"))
    upsert(connection, _META, _stamped([movie.meta for movie in movies], "updated_at", now))
    upsert(connection, _RATINGS, _stamped(ratings, "last_seen_at", now))
    upsert(connection, _SCORES, _stamped(scores, "computed_at", now))
    upsert(connection, _CARDS, _stamped(cards.values(), "computed_at", now))
    answered = [{"work_id": m.work["work_id"], "source": source} for m in movies for source in m.similar_sources]
    connection.execute(_DROP_OLD_SIMILAR, {"answered": json_parameter(answered), "rows": _keys(_SIMILAR, similar)})
    upsert(connection, _SIMILAR, similar)
    images = [row for movie in movies for row in movie.images]
    connection.execute(_DROP_OLD_IMAGES, {"work_ids": list(rows), "rows": _keys(_IMAGES, images)})
    upsert(connection, _IMAGES, images)
    return Written(frozenset(rows), cards, clashes)


def _keys(target: Target, rows: Iterable[Mapping[str, Any]]) -> str:
    """What names each of the rows, for a statement that needs no more of them."""
    return json_parameter([{column: row[column] for column in target.key} for row in rows])


def _stamped(rows: Iterable[Mapping[str, Any]], column: str, moment: object) -> list[dict[str, Any]]:
    return [{**row, column: moment} for row in rows]


def _identify(connection: Connection, movies: Sequence[MovieRows]) -> tuple[list[MovieRows], dict[int, str]]:
    """Write what identifies the works; returns the movies with what they keep, and the IMDb ids left out by work_id."""
    seen: dict[int, str] | None = None
    while True:
        clashes = _taken_imdb_ids(connection, movies)
        kept = [
            replace(movie, work={**movie.work, "imdb_id": None}) if movie.work["work_id"] in clashes else movie
            for movie in movies
        ]
        try:
            with connection.begin_nested():
                connection.execute(_IDENTIFY, {"rows": json_parameter([movie.work for movie in kept])})
        except IntegrityError:
            # Another transaction has just committed one of the ids: the next look sees it, or it was not that.
            if clashes == seen:
                raise
            seen = clashes
        else:
            return kept, clashes


def _taken_imdb_ids(connection: Connection, movies: Iterable[MovieRows]) -> dict[int, str]:
    """TMDB sometimes gives two movies one IMDb id: the one that has it keeps it, the other lands without."""
    wanted = {movie.work["work_id"]: imdb_id for movie in movies if (imdb_id := movie.work["imdb_id"])}
    parameters = {"imdb_ids": list(wanted.values())}
    owners = {row.imdb_id: row.work_id for row in connection.execute(_TAKEN_IMDB_IDS, parameters)}
    return {work_id: imdb_id for work_id, imdb_id in wanted.items() if owners.setdefault(imdb_id, work_id) != work_id}
