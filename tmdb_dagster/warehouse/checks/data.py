"""What must hold of the data: complete, unique, plausible, and what its readers decode."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row

from tmdb_dagster.transform.card_schema import CARD_SCHEMA
from tmdb_dagster.warehouse.checks.check import EXAMPLES, Answer, Check, Redact, none_of

CARDS_SAMPLED = 500
"""Cards validated: half of them the newest, half at random."""


def _validate(rows: Iterable[Row[Any]], _: Redact) -> Answer:
    """Whether the cards are what their readers decode."""
    from jsonschema_rs import Draft202012Validator

    validator = Draft202012Validator(CARD_SCHEMA)
    checked, wrong = 0, []
    for row in rows:
        checked += 1
        if (error := next(validator.iter_errors(row.payload), None)) is not None:
            place = ".".join(["$", *map(str, error.instance_path)])
            wrong.append(f"work {row.work_id}, {place}: {error.message}"[:300])
    figures = {"cards checked": checked, "invalid cards": len(wrong)}
    return Answer(not wrong, f"Invalid cards: {len(wrong)} of {checked}.", figures, wrong[:EXAMPLES])


DATA_CHECKS = (
    Check(
        "sound_candidates",
        "candidates",
        "error",
        "Every candidate has a TMDB id and a title; if not, none of them is asked for.",
        "TMDB's lists hold rubbish: see list_snapshots, and check TMDB_API_URL and any proxy.",
        none_of(
            "unsound candidates",
            """SELECT 'rank ' || rank || ': ' || tmdb_id || ' ' || title AS example, count(*) OVER () AS found
            FROM ingest_candidates
            WHERE batch_id = (SELECT batch_id FROM ingest_batches ORDER BY run_id = :run_id DESC, batch_id DESC LIMIT 1)
                AND (tmdb_id !~ '^[1-9][0-9]{0,9}$' OR btrim(title) = '' OR cardinality(sources) = 0)
            ORDER BY rank""",
        ),
        blocks=True,
    ),
    Check(
        "complete_lists",
        "candidates",
        "warning",
        "The newest snapshot of each list has all its pages, and is not half of the one before.",
        "A page failed, or TMDB has shortened the list. The next ingest asks for it again.",
        none_of(
            "incomplete lists",
            """WITH snapshots AS (
                SELECT source, run_id, max(fetched_at) AS fetched_at, count(*) AS movies, max(page) AS last_page,
                    count(DISTINCT page) AS pages,
                    row_number() OVER (PARTITION BY source ORDER BY max(fetched_at) DESC) AS age
                FROM list_snapshots WHERE fetched_at > now() - interval '30 days' GROUP BY source, run_id
            )
            SELECT n.source || ': ' || n.movies || ' movies on ' || n.pages || ' of ' || n.last_page || ' pages'
                    AS example, count(*) OVER () AS found
            FROM snapshots n LEFT JOIN snapshots o ON o.source = n.source AND o.age = 2 AND o.last_page = n.last_page
            WHERE n.age = 1 AND (n.pages < n.last_page OR n.movies < o.movies / 2)
            ORDER BY n.source""",
        ),
    ),
    Check(
        "complete_works_have_rows",
        "works",
        "error",
        "Every complete work has its meta, scores and card, and a rating where TMDB has votes.",
        "Run rebuild_from_raw; for works without a stored answer run batch_ingest with force_refresh.",
        none_of(
            "incomplete works",
            """SELECT w.title || ' (TMDB id ' || w.tmdb_id || ') lacks ' || concat_ws(
                    ', ', CASE WHEN m.work_id IS NULL THEN 'works_meta' END,
                    CASE WHEN c.work_id IS NULL THEN 'work_cards_cache' END,
                    CASE WHEN a.work_id IS NULL THEN 'aggregates' END,
                    CASE WHEN a.rated AND r.work_id IS NULL THEN 'rating_sources' END
                ) AS example, count(*) OVER () AS found
            FROM works w
            LEFT JOIN works_meta m USING (work_id)
            LEFT JOIN work_cards_cache c USING (work_id)
            LEFT JOIN (SELECT DISTINCT work_id FROM rating_sources WHERE source_name = 'TMDB') r USING (work_id)
            LEFT JOIN (
                SELECT work_id, bool_or(audience_score IS NOT NULL) AS rated FROM aggregates GROUP BY work_id
            ) a USING (work_id)
            WHERE w.ingestion_status = 'complete' AND (
                m.work_id IS NULL OR c.work_id IS NULL OR a.work_id IS NULL OR (a.rated AND r.work_id IS NULL)
            )
            ORDER BY w.work_id""",
        ),
        of_movies=True,
    ),
    Check(
        "works_have_all_parts",
        "works",
        "warning",
        "Every complete work has had all parts of TMDB's answer: credits, videos and the others.",
        "TMDB is asked again daily, four times; then run ingest_movie with force_refresh, or wait for the refresh.",
        none_of(
            "works without a part",
            """SELECT title || ' (TMDB id ' || tmdb_id || ') lacks ' || array_to_string(missing_parts, ', ') AS example,
                count(*) OVER () AS found
            FROM works WHERE missing_parts IS NOT NULL ORDER BY incomplete_answers DESC, work_id""",
        ),
        cheap=True,
        of_movies=True,
    ),
    Check(
        "unique_tmdb_ids",
        "works",
        "error",
        "No movie is there twice.",
        "Keep the older work of each pair and delete the other: readers may hold its work_id.",
        none_of(
            "duplicate TMDB ids",
            """SELECT 'TMDB id ' || id || ': works ' || string_agg(work_id::text, ', ' ORDER BY work_id) AS example,
                count(*) OVER () AS found
            FROM (SELECT work_id, ltrim(btrim(tmdb_id), '0') AS id FROM works WHERE tmdb_id IS NOT NULL) w
            GROUP BY id HAVING count(*) > 1""",
        ),
    ),
    Check(
        "plausible_release_dates",
        "works",
        "warning",
        "Release dates lie between 1874 and 15 years ahead, and agree with the year.",
        "Compare with TMDB's page of the movie; ingest_movie with force_refresh takes what TMDB says now.",
        none_of(
            "implausible release dates",
            """SELECT title || ' (TMDB id ' || tmdb_id || '): ' || coalesce(release_date::text, 'no date') || ', year '
                    || coalesce(year::text, 'none') AS example, count(*) OVER () AS found
            FROM works
            WHERE release_date < DATE '1874-01-01' OR release_date > current_date + interval '15 years'
                OR year IS DISTINCT FROM extract(year FROM release_date)::int AND last_refreshed_at IS NOT NULL
            ORDER BY work_id""",
        ),
        of_movies=True,
    ),
    Check(
        "scores_in_range",
        "aggregates",
        "error",
        "Scores are 0 to 100 and lie within their own interval.",
        "Run rebuild_from_raw; if they stay, transform/score.py is wrong.",
        none_of(
            "scores out of range",
            """SELECT example, count(*) OVER () AS found FROM (
                SELECT 'work ' || work_id || ', ' || method_version || ': ' || coalesce(ai_score::text, 'none')
                    || ' in ' || coalesce(ai_score_low::text, '?') || ' to ' || coalesce(ai_score_high::text, '?')
                    AS example
                FROM aggregates
                WHERE least(ai_score, ai_score_low, ai_score_high, audience_score) < 0
                    OR greatest(ai_score, ai_score_low, ai_score_high, audience_score) > 100
                    OR ai_score < ai_score_low OR ai_score > ai_score_high
                UNION ALL
                SELECT 'work ' || work_id || ', rating by ' || source_name || ': ' || value_raw || ', ' || value_0_100
                FROM rating_sources
                WHERE NOT value_0_100 BETWEEN 0 AND 100 OR votes_count < 0
                    OR scale_type = '0_10' AND NOT value_raw BETWEEN 0 AND 10
            ) AS outside ORDER BY example""",
        ),
        of_movies=True,
    ),
    Check(
        "valid_cards",
        "work_cards_cache",
        "error",
        f"Cards are what the app decodes: up to {CARDS_SAMPLED}, the newest and some at random.",
        "The app cannot show these movies. Run rebuild_from_raw; if they stay, transform/card.py is wrong.",
        f"""
        SELECT work_id, payload FROM work_cards_cache WHERE work_id IN (
            (SELECT work_id FROM work_cards_cache ORDER BY computed_at DESC NULLS LAST LIMIT {CARDS_SAMPLED // 2})
            UNION (SELECT work_id FROM work_cards_cache ORDER BY random() LIMIT {CARDS_SAMPLED // 2})
        )
        """,  # noqa: S608 - a constant
        judge=_validate,
        of_movies=True,
    ),
)
