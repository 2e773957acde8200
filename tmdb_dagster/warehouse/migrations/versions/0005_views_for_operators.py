"""Views for operators: the stable contract beneath the UI, the command line and dashboards."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None


class View(NamedTuple):
    """A view: its query, what it is, and what each column means, in the columns' order."""

    name: str
    comment: str
    columns: dict[str, str]
    query: str

    def create(self) -> str:
        """The statements that make and describe it; it reads with the rights of whoever asks."""
        names = ", ".join(self.columns)
        comments = [f"COMMENT ON VIEW {self.name} IS {_quoted(self.comment)}"]
        comments += [f"COMMENT ON COLUMN {self.name}.{name} IS {_quoted(c)}" for name, c in self.columns.items()]
        create = f"CREATE VIEW {self.name} ({names}) WITH (security_invoker = true) AS {self.query}"
        return "; ".join([create, *comments])


def _quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"


_HOUR = "(date_trunc('hour', (created_at AT TIME ZONE 'UTC')) AT TIME ZONE 'UTC')"
_PATTERN = "regexp_replace(c.endpoint, '/[0-9]+', '/{id}', 'g')"
_IS_ERROR = "(c.error_message IS NOT NULL OR c.http_status < 200 OR c.http_status >= 400)"
# The periods overlap, so that each has percentiles of its own: those of days could not be added up.
_RECENT_CALLS = """
    (VALUES ('1 day', interval '1 day'), ('7 days', interval '7 days'), ('30 days', interval '30 days'))
        AS p(period, length)
    JOIN tmdb_api_logs c ON c.created_at > now() - p.length
"""
_FIGURES = f"""
    count(*) AS calls,
    count(*) FILTER (WHERE {_IS_ERROR}) AS errors,
    round(count(*) FILTER (WHERE {_IS_ERROR})::numeric / count(*), 4)::float8 AS error_rate,
    count(*) FILTER (WHERE c.retry_count > 0) AS retries,
    count(*) FILTER (WHERE c.http_status = 429) AS rate_limited,
    round(percentile_cont(0.5) WITHIN GROUP (ORDER BY c.response_time_ms))::integer AS p50_ms,
    round(percentile_cont(0.95) WITHIN GROUP (ORDER BY c.response_time_ms))::integer AS p95_ms,
    coalesce(sum(c.response_size_bytes), 0)::bigint AS bytes
"""
_FIGURE_COLUMNS = {
    "calls": "Calls, retries included.",
    "errors": "Of these, without a good answer.",
    "error_rate": "errors / calls, 0 to 1.",
    "retries": "Calls that repeated a failed one.",
    "rate_limited": "Calls that TMDB refused for their rate (429).",
    "p50_ms": "Median response time, milliseconds.",
    "p95_ms": "95 of 100 calls were answered within so many milliseconds.",
    "bytes": "Size of the decoded answers.",
}

# Titles are arrays of text, or JSONB in a database that was taken over: both become JSON.
RUN_HISTORY = View(
    "v_run_history",
    "The runs, newest last: one row for each row of scheduled_ingestion_log.",
    {
        "started_at": "When it began.",
        "ended_at": "When it ended.",
        "duration_s": "Seconds from start to end.",
        "source": "Lists asked for, or refresh.",
        "trigger_type": "scheduled or manual.",
        "status": "failed (the run as a whole), incomplete (some movies failed) or succeeded.",
        "movies_checked": "Different movies seen in the lists, or taken from the queue.",
        "movies_skipped": "Of these, already in works.",
        "movies_ingested": "Ingested, or refreshed.",
        "movies_failed": "Could not be ingested.",
        "ingested_titles": "JSON array of Title (Year).",
        "failed_titles": "JSON array of Title: error.",
        "error_message": "Why the run as a whole failed; NULL where it did not.",
        "run_id": "Dagster run.",
    },
    """
    SELECT
        l.created_at - make_interval(secs => coalesce(l.duration_ms, 0) / 1000.0),
        l.created_at,
        (l.duration_ms / 1000.0)::float8,
        l.source,
        l.trigger_type,
        CASE
            WHEN l.error_message IS NOT NULL THEN 'failed'
            WHEN l.movies_failed > 0 THEN 'incomplete'
            ELSE 'succeeded'
        END,
        coalesce(l.movies_checked, 0),
        coalesce(l.movies_skipped, 0),
        coalesce(l.movies_ingested, 0),
        coalesce(l.movies_failed, 0),
        coalesce(to_jsonb(l.ingested_titles), '[]'),
        coalesce(to_jsonb(l.failed_titles), '[]'),
        l.error_message,
        l.run_id
    FROM scheduled_ingestion_log l
    """,
)

API_CALLS_BY_ENDPOINT = View(
    "v_api_calls_by_endpoint",
    "Calls to TMDB by endpoint, in the last day, 7 days and 30 days; choose one period.",
    {"period": "1 day, 7 days or 30 days, up to now.", "endpoint": "Path with {id} for ids, such as /movie/{id}."}
    | _FIGURE_COLUMNS
    | {"last_call_at": "When the last call was sent."},
    f"""
    SELECT p.period, {_PATTERN}, {_FIGURES}, max(c.created_at)
    FROM {_RECENT_CALLS}
    GROUP BY p.period, 2
    """,  # noqa: S608 - constants only, here and below
)

API_CALLS_HOURLY = View(
    "v_api_calls_hourly",
    "Calls to TMDB by hour and job; hours without a call have no row.",
    {"hour": "Start of the hour.", "job": "Dagster job that called."} | _FIGURE_COLUMNS,
    f"""
    SELECT {_HOUR} AS hour, c.edge_function, {_FIGURES}
    FROM tmdb_api_logs c
    GROUP BY 1, 2
    """,  # noqa: S608
)

API_ERRORS = View(
    "v_api_errors",
    "Failed calls to TMDB by what was wrong, in the last day, 7 days and 30 days; choose one period.",
    {
        "period": "1 day, 7 days or 30 days, up to now.",
        "http_status": "HTTP status; 0 where no answer came.",
        "endpoint": "Path with {id} for ids.",
        "message": "What was wrong, with {id} for ids and without the number of the attempt.",
        "calls": "Failed calls.",
        "movies": "Different movies that they asked for.",
        "first_seen_at": "The first of these calls.",
        "last_seen_at": "The last of these calls.",
    },
    f"""
    SELECT p.period, c.http_status, {_PATTERN} AS endpoint,
        regexp_replace(replace(c.error_message, c.endpoint, {_PATTERN}), ' \\(attempt [0-9]+\\)', '') AS message,
        count(*), count(DISTINCT c.tmdb_id), min(c.created_at), max(c.created_at)
    FROM {_RECENT_CALLS}
    WHERE {_IS_ERROR}
    GROUP BY p.period, c.http_status, 3, 4
    """,  # noqa: S608
)

QUEUE_STATUS = View(
    "v_queue_status",
    "The refresh queue by status, priority, reason and whether a live run is at it.",
    {
        "status": "queued, processing, completed or failed.",
        "priority": "Higher goes first.",
        "reason": "requested, new, schema, recent, changed, retry or stale.",
        "claimed": "Whether a run that is alive processes them; processing and not claimed: its run died.",
        "entries": "Number of entries.",
        "due": "Of these, queued and due now.",
        "next_due_at": "When the next queued one is due.",
        "oldest_queued_at": "When the oldest was queued; NULL for finished ones.",
        "oldest_age_s": "Seconds since then.",
        "retries": "Failed tries of all of them.",
        "last_processed_at": "When the last one was finished.",
        "last_error": "The newest error of one of them; NULL where none has one.",
    },
    """
    SELECT q.status, q.priority, q.reason, q.claimed,
        count(*),
        count(*) FILTER (WHERE q.status = 'queued' AND (q.due_at <= now() OR q.due_at IS NULL)),
        min(q.due_at) FILTER (WHERE q.status = 'queued'),
        min(q.queued_at) FILTER (WHERE q.is_open),
        extract(epoch FROM now() - min(q.queued_at) FILTER (WHERE q.is_open))::float8,
        coalesce(sum(q.retry_count), 0)::bigint,
        max(q.processed_at),
        (array_agg(q.last_error ORDER BY coalesce(q.processed_at, q.claimed_at, q.queued_at) DESC NULLS LAST)
            FILTER (WHERE q.last_error IS NOT NULL))[1]
    FROM (
        SELECT r.*, r.status IN ('queued', 'processing') AS is_open,
            r.status = 'processing' AND EXISTS (
                SELECT FROM run_leases l WHERE l.run_id = r.claimed_by AND l.expires_at > now()
            ) AS claimed
        FROM refresh_queue r
    ) AS q
    GROUP BY q.status, q.priority, q.reason, q.claimed
    """,
)

MOVIE_CALLS = View(
    "v_movie_calls",
    "What each movie has cost: its calls to TMDB, as far back as tmdb_api_logs goes. Ask by tmdb_id for one movie.",
    {
        "tmdb_id": "TMDB's id of the movie.",
        "work_id": "Our id; NULL where works does not have it.",
        "title": "Title.",
        "calls": "Calls, retries included.",
        "errors": "Of these, without a good answer.",
        "retries": "Calls that repeated a failed one.",
        "mean_ms": "Mean response time, milliseconds.",
        "bytes": "Size of the decoded answers.",
        "last_call_at": "When the last call was sent.",
        "last_error_at": "When the last failed call was sent.",
    },
    f"""
    SELECT m.tmdb_id, w.work_id, w.title, m.calls, m.errors, m.retries, m.mean_ms, m.bytes, m.last_call_at,
        m.last_error_at
    FROM (
        SELECT c.tmdb_id,
            count(*) AS calls,
            count(*) FILTER (WHERE {_IS_ERROR}) AS errors,
            count(*) FILTER (WHERE c.retry_count > 0) AS retries,
            avg(c.response_time_ms)::float8 AS mean_ms,
            coalesce(sum(c.response_size_bytes), 0)::bigint AS bytes,
            max(c.created_at) AS last_call_at,
            max(c.created_at) FILTER (WHERE {_IS_ERROR}) AS last_error_at
        FROM tmdb_api_logs c WHERE c.tmdb_id IS NOT NULL GROUP BY c.tmdb_id
    ) AS m LEFT JOIN works w USING (tmdb_id)
    """,  # noqa: S608
)

CATALOGUE_HEALTH = View(
    "v_catalogue_health",
    "The catalogue by status and age of its movies: how many, how fresh, and what they lack.",
    {
        "status": "pending, ingesting, complete or failed.",
        "age_tier": "Days since the release: unreleased, 0-30, 31-180, 181-365, over 365 or unknown.",
        "refresh_days": "Days after which a movie of this tier is stale.",
        "works": "Number of movies.",
        "stale": "Of these, due for a refresh, as is_stale says.",
        "gone": "TMDB knows them no more.",
        "never_refreshed": "Never fetched.",
        "over_six_months": "Last refreshed more than six months ago, which TMDB's terms of use do not allow.",
        "oldest_refresh_at": "The longest unrefreshed.",
        "without_meta": "Without a row in works_meta.",
        "without_card": "Without a row in work_cards_cache.",
        "without_rating": "Without TMDB's rating in rating_sources.",
        "without_poster": "Without a poster.",
        "images_missing": "Movies that show at least one image from TMDB instead of our store.",
    },
    """
    SELECT w.status, w.age_tier, w.refresh_days,
        count(*),
        count(*) FILTER (
            WHERE w.last_refreshed_at IS NULL
                OR w.last_refreshed_at <= now() - make_interval(days => w.refresh_days)
                OR coalesce(m.schema_version, 0) < current_schema_version()
                OR w.work_id IN (SELECT work_id FROM work_cards_cache WHERE NOT payload ? 'attribution')
        ),
        count(w.gone_at),
        count(*) FILTER (WHERE w.last_refreshed_at IS NULL),
        count(*) FILTER (WHERE w.last_refreshed_at < now() - interval '6 months'),
        min(w.last_refreshed_at),
        count(*) FILTER (WHERE m.work_id IS NULL),
        count(*) FILTER (WHERE k.work_id IS NULL),
        count(*) FILTER (WHERE r.work_id IS NULL),
        count(*) FILTER (WHERE m.poster_url_medium IS NULL),
        count(i.work_id)
    FROM (
        SELECT work_id, last_refreshed_at, gone_at, coalesce(ingestion_status, 'pending') AS status,
            calculate_staleness_days(release_date) AS refresh_days,
            CASE
                WHEN release_date IS NULL THEN 'unknown'
                WHEN release_date > t.today THEN 'unreleased'
                WHEN release_date >= t.today - 30 THEN '0-30'
                WHEN release_date >= t.today - 180 THEN '31-180'
                WHEN release_date >= t.today - 365 THEN '181-365'
                ELSE 'over 365'
            END AS age_tier
        FROM works, (SELECT (now() AT TIME ZONE 'utc')::date AS today) AS t
    ) AS w
    LEFT JOIN works_meta m USING (work_id)
    LEFT JOIN work_cards_cache k USING (work_id)
    LEFT JOIN rating_sources r ON r.work_id = w.work_id AND r.source_name = 'TMDB'
    LEFT JOIN (SELECT DISTINCT work_id FROM work_images WHERE NOT rehosted) AS i ON i.work_id = w.work_id
    GROUP BY w.status, w.age_tier, w.refresh_days
    """,
)

IMAGE_COVERAGE = View(
    "v_image_coverage",
    "The images by kind and status: what is in our store, and what movies lack.",
    {
        "kind": "poster, backdrop, trailer, cast or still.",
        "status": "pending, stored, failed (tried again by itself) or gave_up (a person must act).",
        "images": "Number of images.",
        "bytes": "Their size in our store.",
        "next_attempt_at": "When the next of them is tried again.",
        "last_error": "An error of one of them; NULL where none has one.",
    },
    """
    SELECT i.kind, i.status, count(*), coalesce(sum(i.bytes), 0)::bigint, min(i.next_attempt_at), max(i.last_error)
    FROM image_inventory i
    WHERE i.status = 'stored' OR EXISTS (SELECT FROM work_images l WHERE l.key = i.key)
    GROUP BY i.kind, i.status
    """,
)

# A list that was fetched less deep, or with a page missing, says nothing of the movies that it lacks.
LIST_HISTORY = View(
    "v_list_history",
    "Every snapshot of TMDB's lists with each movie's place in it and in the one before.",
    {
        "source": "popular, now_playing or trending.",
        "fetched_at": "When the snapshot was fetched.",
        "run_id": "Dagster run that fetched it.",
        "tmdb_id": "TMDB's id of the movie.",
        "title": "Title.",
        "rank": "Place in the list, from 1; NULL where it left.",
        "previous_rank": "Place in the snapshot before; NULL where it was not in it.",
        "places": "Places that it rose (or, below 0, fell); NULL where it entered or left.",
        "movement": "entered, left, rose, fell or same; NULL where the two snapshots cannot tell.",
        "popularity": "TMDB's popularity figure.",
        "previous_fetched_at": "When the snapshot before was fetched; NULL for the first.",
    },
    """
    WITH snapshots AS (
        SELECT source, run_id, fetched_at, depth,
            lag(run_id) OVER list AS previous_run_id,
            lag(depth) OVER list AS previous_depth,
            lag(fetched_at) OVER list AS previous_fetched_at
        FROM (
            SELECT source, run_id, max(fetched_at) AS fetched_at,
                CASE WHEN count(DISTINCT page) = max(page) THEN max(rank) ELSE 0 END AS depth
            FROM list_snapshots GROUP BY source, run_id
        ) AS s
        WINDOW list AS (PARTITION BY source ORDER BY fetched_at, run_id)
    )
    SELECT s.source, s.fetched_at, s.run_id, m.tmdb_id, m.title, m.rank, m.previous_rank, m.previous_rank - m.rank,
        CASE
            WHEN m.previous_rank > m.rank THEN 'rose'
            WHEN m.previous_rank < m.rank THEN 'fell'
            WHEN m.previous_rank = m.rank THEN 'same'
            WHEN m.rank <= s.previous_depth THEN 'entered'
            WHEN m.previous_rank <= s.depth THEN 'left'
        END,
        m.popularity, s.previous_fetched_at
    FROM snapshots s, LATERAL (
        SELECT tmdb_id, coalesce(e.title, b.title) AS title, e.rank, b.rank AS previous_rank, e.popularity
        FROM (
            SELECT DISTINCT ON (tmdb_id) tmdb_id, title, rank, popularity FROM list_snapshots
            WHERE run_id = s.run_id AND source = s.source ORDER BY tmdb_id, rank
        ) AS e FULL JOIN (
            SELECT DISTINCT ON (tmdb_id) tmdb_id, title, rank FROM list_snapshots
            WHERE run_id = s.previous_run_id AND source = s.source ORDER BY tmdb_id, rank
        ) AS b USING (tmdb_id)
    ) AS m
    WHERE m.rank IS NOT NULL OR m.previous_rank <= s.depth
    """,
)

VIEWS = (
    RUN_HISTORY,
    API_CALLS_BY_ENDPOINT,
    API_CALLS_HOURLY,
    API_ERRORS,
    QUEUE_STATUS,
    MOVIE_CALLS,
    CATALOGUE_HEALTH,
    IMAGE_COVERAGE,
    LIST_HISTORY,
)


def upgrade() -> None:
    op.create_index("tmdb_api_logs_hour_idx", "tmdb_api_logs", [sa.literal_column(_HOUR)], unique=False)
    for view in VIEWS:
        op.execute(view.create())


def downgrade() -> None:
    for view in VIEWS:
        op.execute(f"DROP VIEW {view.name}")
    op.drop_index("tmdb_api_logs_hour_idx", table_name="tmdb_api_logs")
