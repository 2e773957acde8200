"""The catalogue, and what keeps it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Callers name the parameters (is_stale(work_id_input => 1)), so the names are part of the contract.
FUNCTIONS = """
CREATE FUNCTION current_schema_version() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 4';
COMMENT ON FUNCTION current_schema_version() IS
    'Version of the rules that the tables are written by; a work with a lower one is stale.';

CREATE FUNCTION calculate_staleness_days(release_date date) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN release_date IS NULL THEN 30
        WHEN (now() AT TIME ZONE 'utc')::date - release_date <= 30 THEN 2
        WHEN (now() AT TIME ZONE 'utc')::date - release_date <= 180 THEN 7
        WHEN (now() AT TIME ZONE 'utc')::date - release_date <= 365 THEN 14
        ELSE 30
    END
$$;
COMMENT ON FUNCTION calculate_staleness_days(date) IS
    'Days after which a movie of this release date is refreshed; newer movies sooner.';

CREATE FUNCTION is_stale(work_id_input bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT w.last_refreshed_at IS NULL
        OR w.last_refreshed_at <= now() - make_interval(days => calculate_staleness_days(w.release_date))
        OR coalesce(m.schema_version, 0) < current_schema_version()
    FROM works w LEFT JOIN works_meta m USING (work_id)
    WHERE w.work_id = work_id_input
$$;
COMMENT ON FUNCTION is_stale(bigint) IS
    'Whether a work is due for a refresh, by its age tier or its schema version; NULL for an unknown work.';
"""

DROP_FUNCTIONS = """
DROP FUNCTION is_stale(bigint);
DROP FUNCTION calculate_staleness_days(date);
DROP FUNCTION current_schema_version();
"""


def upgrade() -> None:
    op.create_table(
        "catalogue_origin",
        sa.Column("origin", sa.Text(), nullable=False, comment="tmdb or sandbox."),
        sa.Column(
            "since",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the first movie came.",
        ),
        sa.PrimaryKeyConstraint("origin", name=op.f("catalogue_origin_pkey")),
        comment="Whose movies these are. The sandbox's synthetic movies never mix with TMDB's.",
    )
    op.create_table(
        "ingest_batches",
        sa.Column("batch_id", sa.BigInteger(), nullable=False, comment="Row id."),
        sa.Column("run_id", sa.Text(), nullable=False, comment="Dagster run that works on the batch."),
        sa.Column("source", sa.Text(), nullable=False, comment="Source asked for."),
        sa.Column("max_movies", sa.Integer(), nullable=False, comment="Most movies to ingest."),
        sa.Column("pages_per_source", sa.Integer(), nullable=False, comment="Most pages asked of each list."),
        sa.Column("trigger_type", sa.Text(), nullable=False, comment="scheduled or manual."),
        sa.Column("movies_checked", sa.Integer(), nullable=False, comment="Different movies seen in the lists."),
        sa.Column("movies_skipped", sa.Integer(), nullable=False, comment="Of these, already in works."),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False, comment="When the ingest began."),
        sa.Column(
            "closed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it ended; NULL: at work, or interrupted.",
        ),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("ingest_batches_pkey")),
        comment="One row a discovery: what an interrupted ingest goes on with.",
    )
    op.create_index(
        "ingest_batches_open_idx",
        "ingest_batches",
        ["run_id"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "list_snapshots",
        sa.Column("run_id", sa.Text(), nullable=False, comment="Dagster run that fetched the page."),
        sa.Column("source", sa.Text(), nullable=False, comment="popular, now_playing or trending."),
        sa.Column("rank", sa.Integer(), autoincrement=False, nullable=False, comment="Place in the list, from 1."),
        sa.Column("page", sa.Integer(), nullable=False, comment="Page of the list, from 1."),
        sa.Column("tmdb_id", sa.Text(), nullable=False, comment="TMDB's id of the movie."),
        sa.Column("title", sa.Text(), nullable=True, comment="Title."),
        sa.Column("popularity", sa.REAL(), nullable=True, comment="TMDB's popularity figure."),
        sa.Column("vote_average", sa.REAL(), nullable=True, comment="Rating, 0 to 10."),
        sa.Column("vote_count", sa.Integer(), nullable=True, comment="Number of votes."),
        sa.Column("release_date", sa.Date(), nullable=True, comment="Release date."),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False, comment="When the page was fetched."),
        sa.PrimaryKeyConstraint("run_id", "source", "rank", name=op.f("list_snapshots_pkey")),
        comment="Every page of TMDB's lists that was fetched: the history of the lists.",
    )
    op.create_index(
        "list_snapshots_source_fetched_at_idx",
        "list_snapshots",
        ["source", sa.literal_column("fetched_at DESC")],
        unique=False,
    )
    op.create_index(op.f("list_snapshots_tmdb_id_idx"), "list_snapshots", ["tmdb_id"], unique=False)
    op.create_table(
        "rate_limits",
        sa.Column("name", sa.Text(), nullable=False, comment="What is limited: tmdb."),
        sa.Column(
            "permits",
            sa.ARRAY(sa.DateTime(timezone=True)),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Moments of the last calls permitted, oldest first.",
        ),
        sa.Column(
            "blocked_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="TMDB refused a call: nobody calls before this moment.",
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("rate_limits_pkey")),
        comment="The rate limit that all runs share.",
    )
    op.create_table(
        "run_leases",
        sa.Column("run_id", sa.Text(), nullable=False, comment="Dagster run."),
        sa.Column("job", sa.Text(), nullable=False, comment="Its job."),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it began.",
        ),
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Its claims count until then; renewed while it lives.",
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("run_leases_pkey")),
        comment="Runs at work. A run that dies stops renewing, and what it claimed is free again.",
    )
    op.create_table(
        "scheduled_ingestion_log",
        sa.Column("id", sa.BigInteger(), nullable=False, comment="Row id."),
        sa.Column(
            "source", sa.Text(), nullable=False, comment="popular, now_playing, trending, mixed, mixed_daily, ..."
        ),
        sa.Column("movies_checked", sa.Integer(), nullable=True, comment="Different movies seen in the lists."),
        sa.Column("movies_skipped", sa.Integer(), nullable=True, comment="Of these, already in works."),
        sa.Column("movies_ingested", sa.Integer(), nullable=True, comment="Newly ingested."),
        sa.Column("movies_failed", sa.Integer(), nullable=True, comment="Could not be ingested."),
        sa.Column("ingested_titles", sa.ARRAY(sa.Text()), nullable=True, comment="Title (Year)."),
        sa.Column("failed_titles", sa.ARRAY(sa.Text()), nullable=True, comment="Title: error."),
        sa.Column(
            "duration_ms", sa.Integer(), nullable=True, comment="Milliseconds from the start of the ingest to its end."
        ),
        sa.Column("trigger_type", sa.Text(), nullable=True, comment="scheduled or manual."),
        sa.Column(
            "error_message", sa.Text(), nullable=True, comment="Why the run as a whole failed; NULL where it did not."
        ),
        sa.Column("run_id", sa.Text(), nullable=True, comment="Dagster run."),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=True,
            comment="When the ingest ended.",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("scheduled_ingestion_log_pkey")),
        comment="One row a run of the ingest, also when the run failed.",
    )
    op.create_index(
        "scheduled_ingestion_log_created_at_idx",
        "scheduled_ingestion_log",
        [sa.literal_column("created_at DESC")],
        unique=False,
    )
    op.create_index(op.f("scheduled_ingestion_log_source_idx"), "scheduled_ingestion_log", ["source"], unique=False)
    op.create_table(
        "score_prior",
        sa.Column("method_version", sa.Text(), nullable=False, comment="Score method."),
        sa.Column("mean", sa.REAL(), nullable=False, comment="Mean rating of the catalogue, 0 to 10."),
        sa.Column("votes", sa.REAL(), nullable=False, comment="How many votes the mean counts as."),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False, comment="When it was computed."),
        sa.PrimaryKeyConstraint("method_version", name=op.f("score_prior_pkey")),
        comment="What a score assumes of a movie before its votes; a weekly ingest and a rebuild compute it anew.",
    )
    op.create_table(
        "sync_state",
        sa.Column("sync_type", sa.Text(), nullable=False, comment="What is kept in step, such as scheduled_ingest."),
        sa.Column("last_sync_at", sa.DateTime(timezone=True), nullable=True, comment="When it last ended well."),
        sa.Column("last_sync_cursor", sa.Text(), nullable=True, comment="How far it has come."),
        sa.Column(
            "sync_count", sa.Integer(), server_default=sa.text("0"), nullable=True, comment="How often it ended well."
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=True,
            comment="When the row last changed.",
        ),
        sa.PrimaryKeyConstraint("sync_type", name=op.f("sync_state_pkey")),
        comment="How far each regular job has come.",
    )
    op.create_table(
        "tmdb_api_logs",
        sa.Column("id", sa.BigInteger(), nullable=False, comment="Row id."),
        sa.Column("endpoint", sa.Text(), nullable=False, comment="Path below /3, such as /movie/603."),
        sa.Column("method", sa.Text(), nullable=True, comment="HTTP method."),
        sa.Column("http_status", sa.Integer(), nullable=True, comment="HTTP status; 0 where no answer came."),
        sa.Column(
            "query_params",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Query parameters; never the key.",
        ),
        sa.Column(
            "request_body",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Request body; NULL for GET.",
        ),
        sa.Column("response_size_bytes", sa.Integer(), nullable=True, comment="Size of the decoded answer."),
        sa.Column(
            "response_time_ms", sa.Integer(), nullable=True, comment="Milliseconds from sending to the last byte."
        ),
        sa.Column("results_count", sa.Integer(), nullable=True, comment="Rows in the answer."),
        sa.Column("edge_function", sa.Text(), nullable=True, comment="The Dagster job that called."),
        sa.Column("user_query", sa.Text(), nullable=True, comment="Kept for the app; the pipeline leaves it empty."),
        sa.Column("tmdb_id", sa.Text(), nullable=True, comment="TMDB id of the movie asked for."),
        sa.Column(
            "voice_event_id", sa.UUID(), nullable=True, comment="Kept for the app; the pipeline leaves it empty."
        ),
        sa.Column("error_message", sa.Text(), nullable=True, comment="What was wrong; NULL for a success."),
        sa.Column("retry_count", sa.Integer(), nullable=True, comment="0 for the first try."),
        sa.Column(
            "metadata",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="run_id, appended parts and the like.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=True,
            comment="When the call was sent.",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("tmdb_api_logs_pkey")),
        comment="One row a call to TMDB, retries included.",
    )
    op.create_index(
        "tmdb_api_logs_created_at_idx", "tmdb_api_logs", [sa.literal_column("created_at DESC")], unique=False
    )
    op.create_index(op.f("tmdb_api_logs_edge_function_idx"), "tmdb_api_logs", ["edge_function"], unique=False)
    op.create_index(op.f("tmdb_api_logs_endpoint_idx"), "tmdb_api_logs", ["endpoint"], unique=False)
    op.create_index(op.f("tmdb_api_logs_http_status_idx"), "tmdb_api_logs", ["http_status"], unique=False)
    op.create_index(op.f("tmdb_api_logs_tmdb_id_idx"), "tmdb_api_logs", ["tmdb_id"], unique=False)
    op.create_table(
        "works",
        sa.Column("work_id", sa.BigInteger(), nullable=False, comment="Our id of the movie; all other tables use it."),
        sa.Column("tmdb_id", sa.Text(), nullable=False, comment="TMDB's id of the movie."),
        sa.Column(
            "imdb_id", sa.Text(), nullable=True, comment="IMDb's id; NULL where unknown or taken by another work."
        ),
        sa.Column("title", sa.Text(), nullable=False, comment="Title in the configured language."),
        sa.Column("original_title", sa.Text(), nullable=True, comment="Title in the original language."),
        sa.Column("year", sa.Integer(), nullable=True, comment="Year of the release date."),
        sa.Column("release_date", sa.Date(), nullable=True, comment="Release date; NULL where TMDB knows none."),
        sa.Column(
            "last_refreshed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When TMDB's answer was last fetched and written; a failure leaves it.",
        ),
        sa.Column(
            "request_count",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=True,
            comment="How often the movie was fetched.",
        ),
        sa.Column(
            "ingestion_status",
            sa.Text(),
            server_default=sa.text("'pending'"),
            nullable=True,
            comment="pending, ingesting (a run is at it), complete, or failed (old data is kept).",
        ),
        sa.Column(
            "ingestion_error", sa.Text(), nullable=True, comment="Why the last fetch failed; NULL after a success."
        ),
        sa.Column(
            "gone_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When TMDB answered that it knows the movie no more (404); NULL otherwise.",
        ),
        sa.Column(
            "claimed_by",
            sa.Text(),
            nullable=True,
            comment="Run that is ingesting the work; counts while its lease lives.",
        ),
        sa.Column(
            "status_before_claim",
            sa.Text(),
            nullable=True,
            comment="Status to go back to; NULL: the claim made the row.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=True,
            comment="When the row was made.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=True,
            comment="When the row's content last changed.",
        ),
        sa.PrimaryKeyConstraint("work_id", name=op.f("works_pkey")),
        sa.UniqueConstraint("imdb_id", name=op.f("works_imdb_id_key")),
        sa.UniqueConstraint("tmdb_id", name=op.f("works_tmdb_id_key")),
        comment="One row a movie: identity, and how fresh the catalogue's knowledge of it is.",
    )
    op.create_index(
        "works_claimed_by_idx",
        "works",
        ["claimed_by"],
        unique=False,
        postgresql_where=sa.text("claimed_by IS NOT NULL"),
    )
    op.create_index(op.f("works_ingestion_status_idx"), "works", ["ingestion_status"], unique=False)
    op.create_index(op.f("works_last_refreshed_at_idx"), "works", ["last_refreshed_at"], unique=False)
    op.create_index(op.f("works_release_date_idx"), "works", ["release_date"], unique=False)
    op.create_index(op.f("works_title_idx"), "works", ["title"], unique=False)
    op.create_index(op.f("works_year_idx"), "works", ["year"], unique=False)
    op.create_table(
        "aggregates",
        sa.Column("work_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="The movie."),
        sa.Column("method_version", sa.Text(), nullable=False, comment="Name of the score method."),
        sa.Column("ai_score", sa.REAL(), nullable=True, comment="Score, 0 to 100."),
        sa.Column("ai_score_low", sa.REAL(), nullable=True, comment="Lower end of the score's interval."),
        sa.Column("ai_score_high", sa.REAL(), nullable=True, comment="Upper end of the score's interval."),
        sa.Column("n_audience", sa.Integer(), nullable=True, comment="Audience votes that went in."),
        sa.Column("n_critics", sa.Integer(), nullable=True, comment="Critics' votes that went in."),
        sa.Column("audience_score", sa.REAL(), nullable=True, comment="Plain audience rating, 0 to 100."),
        sa.Column(
            "source_scores",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment='Score and votes by source: {"tmdb": {"score", "votes"}}.',
        ),
        sa.Column("inputs_fingerprint", sa.Text(), nullable=True, comment="Hash of the method and its inputs."),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=True, comment="When the score was computed."),
        sa.ForeignKeyConstraint(
            ["work_id"], ["works.work_id"], name=op.f("aggregates_work_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("work_id", "method_version", name=op.f("aggregates_pkey")),
        comment="Scores of a movie, one row a method.",
    )
    op.create_table(
        "ingest_candidates",
        sa.Column("batch_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="The discovery."),
        sa.Column("tmdb_id", sa.Text(), nullable=False, comment="TMDB's id of the movie."),
        sa.Column("rank", sa.Integer(), nullable=False, comment="Place in the lists, best first."),
        sa.Column("title", sa.Text(), nullable=False, comment="Title in the list."),
        sa.Column("sources", sa.ARRAY(sa.Text()), nullable=False, comment="Lists that name it."),
        sa.Column(
            "outcome",
            sa.Text(),
            nullable=True,
            comment="ingested, skipped (another run was first) or failed; NULL: still to do.",
        ),
        sa.Column("message", sa.Text(), nullable=True, comment="Title (Year), or why it failed."),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["ingest_batches.batch_id"], name=op.f("ingest_candidates_batch_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("batch_id", "tmdb_id", name=op.f("ingest_candidates_pkey")),
        comment="The movies that a discovery chose, and what became of each.",
    )
    op.create_table(
        "movie_responses",
        sa.Column("work_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="The movie."),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="TMDB's answer with its parts: JSON, gzip."),
        sa.Column("body_bytes", sa.Integer(), nullable=False, comment="Size of the JSON before gzip."),
        sa.Column("content_hash", sa.Text(), nullable=False, comment="SHA-256 of the JSON with sorted keys."),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False, comment="When TMDB last answered so."),
        sa.ForeignKeyConstraint(
            ["work_id"], ["works.work_id"], name=op.f("movie_responses_work_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("work_id", name=op.f("movie_responses_pkey")),
        comment="TMDB's last answer for each movie; every derived table can be rebuilt from it.",
    )
    op.create_table(
        "rating_sources",
        sa.Column("rating_id", sa.BigInteger(), nullable=False, comment="Row id."),
        sa.Column("work_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="The movie."),
        sa.Column("source_name", sa.Text(), nullable=False, comment="Who rates; the pipeline writes TMDB."),
        sa.Column("scale_type", sa.Text(), nullable=True, comment="Scale of value_raw: 0_10, 0_5 or 0_100."),
        sa.Column("value_raw", sa.REAL(), nullable=True, comment="The rating on its own scale."),
        sa.Column("value_0_100", sa.REAL(), nullable=True, comment="The rating on a scale of 0 to 100."),
        sa.Column("votes_count", sa.Integer(), nullable=True, comment="Number of votes."),
        sa.Column(
            "last_seen_at", sa.DateTime(timezone=True), nullable=True, comment="When the rating was last fetched."
        ),
        sa.ForeignKeyConstraint(
            ["work_id"], ["works.work_id"], name=op.f("rating_sources_work_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("rating_id", name=op.f("rating_sources_pkey")),
        sa.UniqueConstraint("work_id", "source_name", name=op.f("rating_sources_work_id_source_name_key")),
        comment="Ratings of a movie, one row a source.",
    )
    op.create_table(
        "refresh_queue",
        sa.Column("id", sa.BigInteger(), nullable=False, comment="Row id."),
        sa.Column("work_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="The movie to refresh."),
        sa.Column("priority", sa.Integer(), server_default=sa.text("0"), nullable=True, comment="Higher goes first."),
        sa.Column(
            "status",
            sa.Text(),
            server_default=sa.text("'queued'"),
            nullable=True,
            comment="queued, processing, completed or failed.",
        ),
        sa.Column(
            "queued_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=True,
            comment="When it was queued.",
        ),
        sa.Column(
            "processed_at", sa.DateTime(timezone=True), nullable=True, comment="When it was completed or failed."
        ),
        sa.Column(
            "retry_count", sa.Integer(), server_default=sa.text("0"), nullable=True, comment="Failed tries so far."
        ),
        sa.Column("last_error", sa.Text(), nullable=True, comment="Why the last try failed."),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=True,
            comment="When the row was made.",
        ),
        sa.ForeignKeyConstraint(
            ["work_id"], ["works.work_id"], name=op.f("refresh_queue_work_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("refresh_queue_pkey")),
        comment="Works that wait for a refresh: one open entry a work, any number of finished ones.",
    )
    op.create_index(
        "refresh_queue_open_work_id_key",
        "refresh_queue",
        ["work_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('queued', 'processing')"),
    )
    op.create_index(
        "refresh_queue_status_priority_queued_at_idx",
        "refresh_queue",
        ["status", sa.literal_column("priority DESC"), "queued_at"],
        unique=False,
    )
    op.create_index(op.f("refresh_queue_work_id_idx"), "refresh_queue", ["work_id"], unique=False)
    op.create_table(
        "similar_movies",
        sa.Column("id", sa.BigInteger(), nullable=False, comment="Row id."),
        sa.Column("work_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="The movie."),
        sa.Column("similar_tmdb_id", sa.Text(), nullable=False, comment="TMDB id of the similar movie."),
        sa.Column("source", sa.Text(), nullable=False, comment="Who says so; the pipeline writes tmdb."),
        sa.Column("rank_order", sa.Integer(), nullable=True, comment="Rank, from 1."),
        sa.Column("confidence", sa.REAL(), nullable=True, comment="0 to 1."),
        sa.Column("notes", sa.Text(), nullable=True, comment="Remarks."),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=True,
            comment="When the row was made.",
        ),
        sa.ForeignKeyConstraint(
            ["work_id"], ["works.work_id"], name=op.f("similar_movies_work_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("similar_movies_pkey")),
        sa.UniqueConstraint(
            "work_id", "similar_tmdb_id", "source", name=op.f("similar_movies_work_id_similar_tmdb_id_source_key")
        ),
        comment="Movies similar to a movie, by source.",
    )
    op.create_table(
        "work_cards_cache",
        sa.Column("work_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="The movie."),
        sa.Column(
            "payload",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="The card that the mobile app shows.",
        ),
        sa.Column(
            "payload_short",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The card's short form, for lists.",
        ),
        sa.Column("etag", sa.Text(), nullable=True, comment="Hash of what the card says; last_updated does not count."),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=True, comment="When the card was made."),
        sa.ForeignKeyConstraint(
            ["work_id"], ["works.work_id"], name=op.f("work_cards_cache_work_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("work_id", name=op.f("work_cards_cache_pkey")),
        comment="Ready-made cards, one a movie.",
    )
    op.create_table(
        "works_meta",
        sa.Column("work_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="The movie."),
        sa.Column("runtime_minutes", sa.Integer(), nullable=True, comment="Minutes; NULL where unknown."),
        sa.Column("runtime_display", sa.Text(), nullable=True, comment="Runtime for people, such as 2h 19m."),
        sa.Column("tagline", sa.Text(), nullable=True, comment="Tagline."),
        sa.Column("overview", sa.Text(), nullable=True, comment="Overview."),
        sa.Column("overview_short", sa.Text(), nullable=True, comment="The overview's first 150 characters."),
        sa.Column("genres", sa.ARRAY(sa.Text()), nullable=True, comment="Names of the genres."),
        sa.Column("keywords", sa.ARRAY(sa.Text()), nullable=True, comment="Names of the keywords."),
        sa.Column("certification", sa.Text(), nullable=True, comment="US certification, such as PG-13."),
        sa.Column("poster_url_small", sa.Text(), nullable=True, comment="Poster, 154 pixels wide, at TMDB."),
        sa.Column("poster_url_medium", sa.Text(), nullable=True, comment="Poster, 342 pixels wide."),
        sa.Column("poster_url_large", sa.Text(), nullable=True, comment="Poster, 500 pixels wide."),
        sa.Column("poster_url_original", sa.Text(), nullable=True, comment="Poster in its original size, at TMDB."),
        sa.Column("backdrop_url", sa.Text(), nullable=True, comment="Backdrop, wide."),
        sa.Column("backdrop_url_mobile", sa.Text(), nullable=True, comment="Backdrop, 780 pixels wide."),
        sa.Column("trailer_youtube_id", sa.Text(), nullable=True, comment="YouTube key of the main trailer."),
        sa.Column("trailer_thumbnail", sa.Text(), nullable=True, comment="Thumbnail of the main trailer."),
        sa.Column(
            "cast_members",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="First 15 of the cast, with character and photo URLs.",
        ),
        sa.Column(
            "crew_members",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Up to 10 of the crew in the main jobs.",
        ),
        sa.Column(
            "trailers",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Up to 10 YouTube videos: key, name, type, thumbnail_url.",
        ),
        sa.Column(
            "still_images",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="URLs of up to 5 backdrops; an empty array where there are none.",
        ),
        sa.Column(
            "streaming",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Watch providers by region (source: JustWatch), with updated_at.",
        ),
        sa.Column(
            "production_companies",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Companies: id, name, logo path.",
        ),
        sa.Column(
            "collection",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Collection that the movie belongs to: id, name, image paths.",
        ),
        sa.Column("production_countries", sa.ARRAY(sa.Text()), nullable=True, comment="Names of the countries."),
        sa.Column("spoken_languages", sa.ARRAY(sa.Text()), nullable=True, comment="Names of the languages."),
        sa.Column("original_language", sa.Text(), nullable=True, comment="ISO 639-1 code of the original language."),
        sa.Column("budget", sa.BigInteger(), nullable=True, comment="US dollars; NULL where unknown."),
        sa.Column("revenue_worldwide", sa.BigInteger(), nullable=True, comment="US dollars; NULL where unknown."),
        sa.Column(
            "similar_movie_ids",
            sa.ARRAY(sa.Integer()),
            nullable=True,
            comment="TMDB ids of the first 10 similar movies.",
        ),
        sa.Column(
            "schema_version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=True,
            comment="Version of the rules that wrote it.",
        ),
        sa.Column(
            "fetched_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the answer that the row is made from was fetched.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=True,
            comment="When the row was last written.",
        ),
        sa.ForeignKeyConstraint(
            ["work_id"], ["works.work_id"], name=op.f("works_meta_work_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("work_id", name=op.f("works_meta_pkey")),
        comment="What is known of a movie. Other tools may add columns of their own: they are left alone.",
    )
    op.execute(FUNCTIONS)


def downgrade() -> None:
    op.execute(DROP_FUNCTIONS)
    op.drop_table("works_meta")
    op.drop_table("work_cards_cache")
    op.drop_table("similar_movies")
    op.drop_index(op.f("refresh_queue_work_id_idx"), table_name="refresh_queue")
    op.drop_index("refresh_queue_status_priority_queued_at_idx", table_name="refresh_queue")
    op.drop_index(
        "refresh_queue_open_work_id_key",
        table_name="refresh_queue",
        postgresql_where=sa.text("status IN ('queued', 'processing')"),
    )
    op.drop_table("refresh_queue")
    op.drop_table("rating_sources")
    op.drop_table("movie_responses")
    op.drop_table("ingest_candidates")
    op.drop_table("aggregates")
    op.drop_index(op.f("works_year_idx"), table_name="works")
    op.drop_index(op.f("works_title_idx"), table_name="works")
    op.drop_index(op.f("works_release_date_idx"), table_name="works")
    op.drop_index(op.f("works_last_refreshed_at_idx"), table_name="works")
    op.drop_index(op.f("works_ingestion_status_idx"), table_name="works")
    op.drop_index("works_claimed_by_idx", table_name="works", postgresql_where=sa.text("claimed_by IS NOT NULL"))
    op.drop_table("works")
    op.drop_index(op.f("tmdb_api_logs_tmdb_id_idx"), table_name="tmdb_api_logs")
    op.drop_index(op.f("tmdb_api_logs_http_status_idx"), table_name="tmdb_api_logs")
    op.drop_index(op.f("tmdb_api_logs_endpoint_idx"), table_name="tmdb_api_logs")
    op.drop_index(op.f("tmdb_api_logs_edge_function_idx"), table_name="tmdb_api_logs")
    op.drop_index("tmdb_api_logs_created_at_idx", table_name="tmdb_api_logs")
    op.drop_table("tmdb_api_logs")
    op.drop_table("sync_state")
    op.drop_table("score_prior")
    op.drop_index(op.f("scheduled_ingestion_log_source_idx"), table_name="scheduled_ingestion_log")
    op.drop_index("scheduled_ingestion_log_created_at_idx", table_name="scheduled_ingestion_log")
    op.drop_table("scheduled_ingestion_log")
    op.drop_table("run_leases")
    op.drop_table("rate_limits")
    op.drop_index(op.f("list_snapshots_tmdb_id_idx"), table_name="list_snapshots")
    op.drop_index("list_snapshots_source_fetched_at_idx", table_name="list_snapshots")
    op.drop_table("list_snapshots")
    op.drop_index("ingest_batches_open_idx", table_name="ingest_batches", postgresql_where=sa.text("closed_at IS NULL"))
    op.drop_table("ingest_batches")
    op.drop_table("catalogue_origin")
