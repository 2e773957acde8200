"""What may differ in a table that was there before: what the writers can fill, and what they would stumble over."""

from __future__ import annotations

import re

from tmdb_dagster.warehouse.takeover.catalog import Column

_TYPES = {
    "text": {"character varying"},
    "text[]": {"character varying[]", "jsonb"},
    "jsonb": {"text"},
    "integer": {"bigint", "numeric"},
    "bigint": {"numeric"},
    "real": {"double precision", "numeric"},
    "timestamp with time zone": {"timestamp without time zone"},
}
"""By our type, the others that a JSON value of ours is read into as well, and compared in."""

_NUMBERS = {"bigint", "integer"}
_ID_COLUMNS = {"work_id", "id"}
_DIGITS = {"value_raw": 2, "confidence": 1}
"""Digits before the point that a column's values have; 3 where it is not named."""

# What SQL of ours compares or computes with needs its own type.
_EXACT = {
    ("works", "tmdb_id"),
    ("works", "last_refreshed_at"),
    ("works_meta", "streaming"),
    ("work_cards_cache", "payload"),
    ("similar_movies", "similar_tmdb_id"),
    ("tmdb_api_logs", "created_at"),
    ("scheduled_ingestion_log", "created_at"),
    ("refresh_queue", "queued_at"),
    ("refresh_queue", "processed_at"),
    ("sync_state", "last_sync_at"),
}
_UNUSED = {
    ("tmdb_api_logs", "request_body"),
    ("tmdb_api_logs", "user_query"),
    ("tmdb_api_logs", "voice_event_id"),
}
"""Columns that the pipeline neither writes nor reads."""

ALWAYS_WRITTEN = {
    "works": "title",
    "works_meta": "genres keywords cast_members crew_members trailers still_images production_companies "
    "production_countries spoken_languages similar_movie_ids schema_version fetched_at",
    "rating_sources": "scale_type value_raw value_0_100 votes_count last_seen_at",
    "aggregates": "n_audience n_critics source_scores inputs_fingerprint computed_at",
    "similar_movies": "rank_order confidence notes",
    "work_cards_cache": "payload payload_short etag computed_at",
    "tmdb_api_logs": "method http_status query_params response_time_ms edge_function retry_count metadata",
    "scheduled_ingestion_log": "ingested_titles failed_titles",
}
"""Columns that may be NOT NULL although ours are not: the writers never leave them empty."""

FILLED_FROM_NOW_ON = {
    "scheduled_ingestion_log": (
        "movies_checked",
        "movies_skipped",
        "movies_ingested",
        "movies_failed",
        "duration_ms",
        "trigger_type",
    ),
}
"""Columns that are NOT NULL in a new database, and that older rows may leave empty: the readers work with both."""

WRITTEN_VALUES = {
    ("works", "ingestion_status"): ("pending", "ingesting", "complete", "failed"),
    ("refresh_queue", "status"): ("queued", "processing", "completed", "failed"),
    ("rating_sources", "scale_type"): ("0_10",),
    ("rating_sources", "source_name"): ("TMDB",),
    ("similar_movies", "source"): ("tmdb", "tmdb_recommendation"),
    ("scheduled_ingestion_log", "trigger_type"): ("scheduled", "manual"),
    ("scheduled_ingestion_log", "source"): (
        "popular",
        "now_playing",
        "trending",
        "mixed",
        "mixed_daily",
        "mixed_weekly",
        "refresh",
        "drain",
    ),
}
"""Values that a CHECK which was there before has to let through."""

KEYS = {
    "works": (("work_id",), ("tmdb_id",)),
    "works_meta": (("work_id",),),
    "rating_sources": (("work_id", "source_name"),),
    "aggregates": (("work_id", "method_version"),),
    "similar_movies": (("work_id", "similar_tmdb_id", "source"),),
    "work_cards_cache": (("work_id",),),
    "sync_state": (("sync_type",),),
}
"""What the writers' ON CONFLICT needs to be unique; the queue's partial index apart."""

OPTIONAL_FUNCTIONS = {"get_stale_movies"}
"""Functions that only older readers call: one that returns something else is left to them."""


def fits(table: str, ours: Column, theirs: Column) -> bool:
    """Whether the pipeline can work with `theirs` in the place of `ours`."""
    if (table, ours.name) in _UNUSED or theirs.type == ours.type:
        return True
    if ours.sequence is not None and (table, ours.name) != ("works", "work_id"):
        return theirs.type in {*_NUMBERS, "uuid"}
    if ours.name in _ID_COLUMNS and ours.type in _NUMBERS:
        return theirs.type in _NUMBERS
    if (table, ours.name) in _EXACT:
        return False
    if theirs.type in _TYPES.get(ours.type, set()):
        return True
    return ours.type == "real" and _has_room(ours.name, theirs.type)


def _has_room(column: str, declared: str) -> bool:
    found = re.fullmatch(r"numeric\((\d+),(\d+)\)", declared)
    return found is not None and int(found[1]) - int(found[2]) >= _DIGITS.get(column, 3)


def may_be_required(table: str, ours: Column) -> bool:
    """Whether rows of ours satisfy a NOT NULL on this column that is not our own."""
    return ours.required or ours.value is not None or ours.name in ALWAYS_WRITTEN.get(table, "").split()
