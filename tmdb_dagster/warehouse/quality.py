"""What must hold of the data: each function looks for what does not, and gives examples of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from tmdb_dagster.transform.card_schema import CARD_SCHEMA

EXAMPLES = 10

CARDS_SAMPLED = 500
"""Cards validated: half of them the newest, half at random."""

CARDS_SECONDS = 10.0


@dataclass(frozen=True)
class Finding:
    """Whether something holds; if not, where. `figures` are for plots, `examples` for a person."""

    passed: bool
    figures: dict[str, int | float] = field(default_factory=dict)
    examples: tuple[str, ...] = ()


def none_of(connection: Connection, name: str, sql: str, **parameters: Any) -> Finding:
    """Passes where `sql` gives no row: (example), and the number of all such rows as (found)."""
    rows = connection.execute(text(f"{sql} LIMIT {EXAMPLES}"), parameters).all()
    found = rows[0].found if rows else 0
    return Finding(not found, {name: found}, tuple(row.example for row in rows))


def sound_candidates(connection: Connection, run_id: str) -> Finding:
    """The run's batch, or else the newest one, names each movie by a TMDB id and a title."""
    return none_of(
        connection,
        "unsound candidates",
        """SELECT 'rank ' || rank || ': ' || tmdb_id || ' ' || title AS example, count(*) OVER () AS found
        FROM ingest_candidates
        WHERE batch_id = (SELECT batch_id FROM ingest_batches ORDER BY run_id = :run_id DESC, batch_id DESC LIMIT 1)
            AND (tmdb_id !~ '^[1-9][0-9]{0,9}$' OR btrim(title) = '' OR cardinality(sources) = 0)
        ORDER BY rank""",
        run_id=run_id,
    )


def complete_lists(connection: Connection) -> Finding:
    """The newest snapshot of each list has no hole, and is not much shorter than the one before."""
    return none_of(
        connection,
        "incomplete lists",
        """WITH snapshots AS (
            SELECT source, run_id, max(fetched_at) AS fetched_at, count(*) AS movies, max(page) AS last_page,
                count(DISTINCT page) AS pages,
                row_number() OVER (PARTITION BY source ORDER BY max(fetched_at) DESC) AS age
            FROM list_snapshots WHERE fetched_at > now() - interval '30 days' GROUP BY source, run_id
        )
        SELECT n.source || ': ' || n.movies || ' movies on ' || n.pages || ' of ' || n.last_page || ' pages' AS example,
            count(*) OVER () AS found
        FROM snapshots n LEFT JOIN snapshots o ON o.source = n.source AND o.age = 2 AND o.last_page = n.last_page
        WHERE n.age = 1 AND (n.pages < n.last_page OR n.movies < o.movies / 2)
        ORDER BY n.source""",
    )


def unique_tmdb_ids(connection: Connection) -> Finding:
    """No two works are the same movie, however its id is written."""
    return none_of(
        connection,
        "duplicate TMDB ids",
        """SELECT 'TMDB id ' || id || ': works ' || string_agg(work_id::text, ', ' ORDER BY work_id) AS example,
            count(*) OVER () AS found
        FROM (SELECT work_id, ltrim(btrim(tmdb_id), '0') AS id FROM works WHERE tmdb_id IS NOT NULL) w
        GROUP BY id HAVING count(*) > 1""",
    )


def complete_works_have_rows(connection: Connection) -> Finding:
    """A complete work has its meta, its scores, its card, and a rating where TMDB has votes."""
    return none_of(
        connection,
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
    )


def plausible_release_dates(connection: Connection) -> Finding:
    """Films begin with the year 1874; nothing is announced for more than 15 years ahead; the year is the date's."""
    return none_of(
        connection,
        "implausible release dates",
        """SELECT title || ' (TMDB id ' || tmdb_id || '): ' || coalesce(release_date::text, 'no date') || ', year '
                || coalesce(year::text, 'none') AS example, count(*) OVER () AS found
        FROM works
        WHERE release_date < DATE '1874-01-01' OR release_date > current_date + interval '15 years'
            OR year IS DISTINCT FROM extract(year FROM release_date)::int AND last_refreshed_at IS NOT NULL
        ORDER BY work_id""",
    )


def scores_in_range(connection: Connection) -> Finding:
    """Scores are 0 to 100, each within its own interval, and ratings are 0 to 10 and 0 to 100."""
    return none_of(
        connection,
        "scores out of range",
        """SELECT example, count(*) OVER () AS found FROM (
            SELECT 'work ' || work_id || ', ' || method_version || ': ' || coalesce(ai_score::text, 'none') || ' in '
                || coalesce(ai_score_low::text, '?') || ' to ' || coalesce(ai_score_high::text, '?') AS example
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
    )


def refreshed_within_six_months(connection: Connection) -> Finding:
    """TMDB's terms: nothing is kept for six months without a refresh."""
    return none_of(
        connection,
        "works older than six months",
        """SELECT title || ' (TMDB id ' || tmdb_id || '), of ' || last_refreshed_at::date AS example,
            count(*) OVER () AS found
        FROM works WHERE last_refreshed_at < now() - interval '6 months' ORDER BY last_refreshed_at""",
    )


def valid_cards(connection: Connection) -> Finding:
    """Cards are what their readers decode: the newest ones and some at random, for a limited time."""
    from jsonschema_rs import Draft202012Validator

    validator = Draft202012Validator(CARD_SCHEMA)
    rows = connection.execute(
        text("""
            SELECT work_id, payload FROM work_cards_cache WHERE work_id IN (
                (SELECT work_id FROM work_cards_cache ORDER BY computed_at DESC NULLS LAST LIMIT :half)
                UNION (SELECT work_id FROM work_cards_cache ORDER BY random() LIMIT :half)
            )
        """),
        {"half": CARDS_SAMPLED // 2},
    ).all()
    deadline = time.monotonic() + CARDS_SECONDS
    checked, problems = 0, []
    for row in rows:
        if time.monotonic() > deadline:
            break
        checked += 1
        if (error := next(validator.iter_errors(row.payload), None)) is not None:
            place = ".".join(["$", *map(str, error.instance_path)])
            problems.append(f"work {row.work_id}, {place}: {error.message}"[:300])
    return Finding(not problems, {"cards checked": checked, "invalid cards": len(problems)}, tuple(problems[:EXAMPLES]))
