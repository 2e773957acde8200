"""How the catalogue is kept: calls, runs, queue, lists, and what several runs share."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    REAL,
    UUID,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from tmdb_dagster.warehouse.tables.metadata import metadata, timestamp, work_id

tmdb_api_logs = Table(
    "tmdb_api_logs",
    metadata,
    Column("id", BigInteger, primary_key=True, comment="Row id."),
    Column("endpoint", Text, nullable=False, comment="Path below /3, such as /movie/603."),
    Column("method", Text, comment="HTTP method."),
    Column("http_status", Integer, comment="HTTP status; 0 where no answer came."),
    Column("query_params", JSONB, comment="Query parameters; never the key."),
    Column("request_body", JSONB, comment="Request body; NULL for GET."),
    Column("response_size_bytes", Integer, comment="Size of the decoded answer."),
    Column("response_time_ms", Integer, comment="Milliseconds from sending to the last byte."),
    Column("results_count", Integer, comment="Rows in the answer."),
    Column("edge_function", Text, comment="The Dagster job that called, or the assets that ran outside of a job."),
    Column("user_query", Text, comment="Kept for the app; the pipeline leaves it empty."),
    Column("tmdb_id", Text, comment="TMDB id of the movie asked for."),
    Column("voice_event_id", UUID, comment="Kept for the app; the pipeline leaves it empty."),
    Column("error_message", Text, comment="What was wrong; NULL for a success."),
    Column("retry_count", Integer, comment="0 for the first try."),
    Column("metadata", JSONB, comment="run_id, appended parts and the like."),
    timestamp("created_at", "When the call was sent.", now=True),
    Column("endpoint_pattern", Text, comment="endpoint with {id} for ids; NULL in rows of before it was noted."),
    Index("tmdb_api_logs_created_at_idx", text("created_at DESC")),
    Index("tmdb_api_logs_hour_idx", text("(date_trunc('hour', (created_at AT TIME ZONE 'UTC')) AT TIME ZONE 'UTC')")),
    Index(None, "endpoint"),
    Index(None, "edge_function"),
    Index(None, "tmdb_id"),
    Index(None, "http_status"),
    comment="One row a call to TMDB, retries included.",
)

scheduled_ingestion_log = Table(
    "scheduled_ingestion_log",
    metadata,
    Column("id", BigInteger, primary_key=True, comment="Row id."),
    Column("source", Text, nullable=False, comment="popular, now_playing, trending, mixed, mixed_daily, ..."),
    Column("movies_checked", Integer, nullable=False, comment="Different movies seen in the lists."),
    Column("movies_skipped", Integer, nullable=False, comment="Of these, already in works."),
    Column("movies_ingested", Integer, nullable=False, comment="Newly ingested."),
    Column("movies_failed", Integer, nullable=False, comment="Could not be ingested."),
    Column("ingested_titles", ARRAY(Text), comment="Title (Year)."),
    Column("failed_titles", ARRAY(Text), comment="Title: error."),
    Column("duration_ms", Integer, nullable=False, comment="Milliseconds from the start of the ingest to its end."),
    Column("trigger_type", Text, nullable=False, comment="scheduled or manual."),
    Column("error_message", Text, comment="Why the run as a whole failed; NULL where it did not."),
    Column("run_id", Text, comment="Dagster run."),
    timestamp("created_at", "When the ingest ended.", now=True),
    Column(
        "movies_excluded",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="Kept out, by the owner or by the settings.",
    ),
    Column("exclusions", JSONB, comment='How many of these for which reason: {"adult": 3}.'),
    Index("scheduled_ingestion_log_created_at_idx", text("created_at DESC")),
    Index(None, "source"),
    comment="One row a run of the ingest, also when the run failed.",
)

refresh_queue = Table(
    "refresh_queue",
    metadata,
    Column("id", BigInteger, primary_key=True, comment="Row id."),
    work_id("The movie to refresh."),
    Column("priority", Integer, server_default=text("0"), comment="Higher goes first."),
    Column(
        "status",
        Text,
        CheckConstraint("status IN ('queued', 'processing', 'completed', 'failed')", name="status"),
        server_default=text("'queued'"),
        comment="queued, processing, completed or failed.",
    ),
    Column("reason", Text, comment="requested, new, schema, recent, changed, retry or stale."),
    timestamp("queued_at", "When it was queued; again where it was asked for once more meanwhile.", now=True),
    timestamp("due_at", "It is not processed before this moment.", now=True),
    Column("claimed_by", Text, comment="Run that processes it; counts while its lease lives."),
    timestamp("claimed_at", "When that run took it."),
    timestamp("processed_at", "When it was completed or failed."),
    Column("retry_count", Integer, server_default=text("0"), comment="Failed tries so far."),
    Column("last_error", Text, comment="Why the last try failed."),
    Column("note", Text, comment="How it was completed, where TMDB had no answer for it."),
    timestamp("created_at", "When the row was made.", now=True),
    Index("refresh_queue_status_priority_queued_at_idx", "status", text("priority DESC"), "queued_at"),
    Index(None, "work_id"),
    Index(
        "refresh_queue_open_work_id_key",
        "work_id",
        unique=True,
        postgresql_where=text("status IN ('queued', 'processing')"),
    ),
    comment="Works that wait for a refresh: one open entry a work, any number of finished ones.",
)

sync_state = Table(
    "sync_state",
    metadata,
    Column("id", BigInteger, primary_key=True, comment="Row id."),
    Column("sync_type", Text, nullable=False, unique=True, comment="What is kept in step, such as scheduled_ingest."),
    timestamp("last_sync_at", "When it last ended well."),
    Column("last_sync_cursor", Text, comment="How far it has come."),
    Column("sync_count", Integer, server_default=text("0"), comment="How often it ended well."),
    timestamp("updated_at", "When the row last changed.", now=True),
    comment="How far each regular job has come.",
)

list_snapshots = Table(
    "list_snapshots",
    metadata,
    Column("run_id", Text, primary_key=True, comment="Dagster run that fetched the page."),
    Column("source", Text, primary_key=True, comment="popular, now_playing or trending."),
    Column("rank", Integer, primary_key=True, autoincrement=False, comment="Place in the list, from 1."),
    Column("page", Integer, nullable=False, comment="Page of the list, from 1."),
    Column("tmdb_id", Text, nullable=False, comment="TMDB's id of the movie."),
    Column("title", Text, comment="Title."),
    Column("popularity", REAL, comment="TMDB's popularity figure."),
    Column("vote_average", REAL, comment="Rating, 0 to 10."),
    Column("vote_count", Integer, comment="Number of votes."),
    Column("release_date", Date, comment="Release date."),
    timestamp("fetched_at", "When the page was fetched.", required=True),
    Column("adult", Boolean, comment="Whether TMDB calls it adult or softcore."),
    Column("original_language", Text, comment="ISO 639-1 code of the original language."),
    Index("list_snapshots_source_fetched_at_idx", "source", text("fetched_at DESC")),
    Index(None, "tmdb_id"),
    comment="Every page of TMDB's lists that was fetched: the history of the lists.",
)

ingest_batches = Table(
    "ingest_batches",
    metadata,
    Column("batch_id", BigInteger, primary_key=True, comment="Row id."),
    Column("run_id", Text, nullable=False, comment="Dagster run that works on the batch."),
    Column("source", Text, nullable=False, comment="Source asked for."),
    Column("max_movies", Integer, nullable=False, comment="Most movies to ingest."),
    Column("pages_per_source", Integer, nullable=False, comment="Most pages asked of each list."),
    Column("trigger_type", Text, nullable=False, comment="scheduled or manual."),
    Column("movies_checked", Integer, nullable=False, comment="Different movies seen in the lists."),
    Column("movies_skipped", Integer, nullable=False, comment="Of these, already in works."),
    timestamp("started_at", "When the ingest began.", required=True),
    timestamp("closed_at", "When it ended; NULL: at work, or interrupted."),
    Column("exclusions", JSONB, comment="How many of these were kept out, by reason."),
    Index("ingest_batches_open_idx", "run_id", postgresql_where=text("closed_at IS NULL")),
    comment="One row a discovery: what an interrupted ingest goes on with.",
)

ingest_candidates = Table(
    "ingest_candidates",
    metadata,
    Column(
        "batch_id",
        BigInteger,
        ForeignKey("ingest_batches.batch_id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
        comment="The discovery.",
    ),
    Column("tmdb_id", Text, primary_key=True, comment="TMDB's id of the movie."),
    Column("rank", Integer, nullable=False, comment="Place in the lists, best first."),
    Column("title", Text, nullable=False, comment="Title in the list."),
    Column("sources", ARRAY(Text), nullable=False, comment="Lists that name it."),
    Column(
        "outcome",
        Text,
        CheckConstraint("outcome IN ('ingested', 'skipped', 'excluded', 'failed')", name="outcome"),
        comment="ingested, skipped (another run was first), excluded or failed; NULL: still to do.",
    ),
    Column("message", Text, comment="Title (Year), or why it failed or was excluded."),
    comment="The movies that a discovery chose, and what became of each.",
)

run_leases = Table(
    "run_leases",
    metadata,
    Column("run_id", Text, primary_key=True, comment="Dagster run."),
    Column("job", Text, nullable=False, comment="Its job."),
    timestamp("started_at", "When it began.", now=True, required=True),
    timestamp("expires_at", "Its claims count until then; renewed while it lives.", required=True),
    comment="Runs at work. A run that dies stops renewing, and what it claimed is free again.",
)

rate_limits = Table(
    "rate_limits",
    metadata,
    Column("name", Text, primary_key=True, comment="What is limited: tmdb."),
    Column(
        "permits",
        ARRAY(DateTime(timezone=True)),
        nullable=False,
        server_default=text("'{}'"),
        comment="When the last calls reach TMDB at the latest: after their permit by a margin, or at their answer.",
    ),
    timestamp("blocked_until", "TMDB refused a call: nobody calls before this moment."),
    timestamp("granted_at", "When the last permit was given; a clock that was set back is noticed by it."),
    Column(
        "limits",
        JSONB,
        nullable=False,
        server_default=text("'[]'"),
        comment="The limits of the runs that ask: calls, seconds, and asked_at of the last permit.",
    ),
    comment="The rate limit that all runs share.",
)

score_prior = Table(
    "score_prior",
    metadata,
    Column("method_version", Text, primary_key=True, comment="Score method."),
    Column("mean", REAL, nullable=False, comment="Mean rating of the catalogue, 0 to 10."),
    Column("votes", REAL, nullable=False, comment="How many votes the mean counts as."),
    timestamp("computed_at", "When it was computed.", required=True),
    comment="What a score assumes of a movie before its votes; a weekly ingest and a rebuild compute it anew.",
)

catalogue_origin = Table(
    "catalogue_origin",
    metadata,
    Column(
        "origin",
        Text,
        CheckConstraint("origin IN ('tmdb', 'sandbox')", name="origin"),
        primary_key=True,
        comment="tmdb or sandbox.",
    ),
    timestamp("since", "When the first movie came.", now=True, required=True),
    comment="Whose movies these are. The sandbox's synthetic movies never mix with TMDB's.",
)
