"""The database of the system that this one replaces, by its documented facts, and how such databases have drifted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, text

from tmdb_dagster.transform.movie import SCHEMA_VERSION
from tmdb_dagster_tests.warehouse.database import contents, rows

CATALOGUE = """
CREATE TABLE works (
    work_id BIGSERIAL PRIMARY KEY, tmdb_id TEXT UNIQUE NOT NULL, imdb_id TEXT UNIQUE, title TEXT NOT NULL,
    original_title TEXT, year INT, release_date DATE, last_refreshed_at TIMESTAMPTZ, request_count INT DEFAULT 0,
    ingestion_status TEXT DEFAULT 'pending'
        CHECK (ingestion_status IN ('pending', 'ingesting', 'complete', 'failed')),
    created_at TIMESTAMPTZ DEFAULT now(), updated_at TIMESTAMPTZ DEFAULT now()
);
CREATE INDEX idx_works_title ON works (title);
CREATE INDEX idx_works_status ON works (ingestion_status);
CREATE TABLE works_meta (
    work_id BIGINT PRIMARY KEY REFERENCES works (work_id) ON DELETE CASCADE,
    runtime_minutes INT, runtime_display TEXT, tagline TEXT, overview TEXT, overview_short TEXT,
    genres TEXT[], keywords TEXT[], certification TEXT,
    poster_url_small TEXT, poster_url_medium TEXT, poster_url_large TEXT, poster_url_original TEXT,
    backdrop_url TEXT, backdrop_url_mobile TEXT, trailer_youtube_id TEXT, trailer_thumbnail TEXT,
    cast_members JSONB, crew_members JSONB, trailers JSONB, still_images JSONB, streaming JSONB,
    production_companies JSONB, collection JSONB, production_countries TEXT[], spoken_languages TEXT[],
    original_language TEXT, budget BIGINT, revenue_worldwide BIGINT, similar_movie_ids INT[],
    schema_version INT DEFAULT 1, fetched_at TIMESTAMPTZ, updated_at TIMESTAMPTZ DEFAULT now()
);
CREATE TABLE rating_sources (
    rating_id BIGSERIAL PRIMARY KEY, work_id BIGINT NOT NULL REFERENCES works (work_id) ON DELETE CASCADE,
    source_name TEXT NOT NULL, scale_type TEXT, value_raw REAL, value_0_100 REAL, votes_count INT,
    last_seen_at TIMESTAMPTZ DEFAULT now(), UNIQUE (work_id, source_name)
);
CREATE TABLE aggregates (
    work_id BIGINT NOT NULL REFERENCES works (work_id) ON DELETE CASCADE, method_version TEXT NOT NULL,
    ai_score REAL, ai_score_low REAL, ai_score_high REAL, n_audience INT, n_critics INT, audience_score REAL,
    source_scores JSONB, inputs_fingerprint TEXT, computed_at TIMESTAMPTZ DEFAULT now(),
    PRIMARY KEY (work_id, method_version)
);
CREATE TABLE similar_movies (
    id BIGSERIAL PRIMARY KEY, work_id BIGINT NOT NULL REFERENCES works (work_id) ON DELETE CASCADE,
    similar_tmdb_id TEXT NOT NULL, source TEXT NOT NULL, rank_order INT, confidence REAL, notes TEXT,
    created_at TIMESTAMPTZ DEFAULT now(), UNIQUE (work_id, similar_tmdb_id, source)
);
CREATE TABLE work_cards_cache (
    work_id BIGINT PRIMARY KEY REFERENCES works (work_id) ON DELETE CASCADE,
    payload JSONB NOT NULL, payload_short JSONB, etag TEXT, computed_at TIMESTAMPTZ DEFAULT now()
);
CREATE TABLE tmdb_api_logs (
    id BIGSERIAL PRIMARY KEY, endpoint TEXT NOT NULL, method TEXT DEFAULT 'GET', http_status INT, query_params JSONB,
    request_body JSONB, response_size_bytes INT, response_time_ms INT, results_count INT, edge_function TEXT,
    user_query TEXT, tmdb_id TEXT, voice_event_id UUID, error_message TEXT, retry_count INT DEFAULT 0,
    metadata JSONB, created_at TIMESTAMPTZ DEFAULT now()
);
CREATE INDEX idx_api_logs_created ON tmdb_api_logs (created_at DESC);
CREATE TABLE scheduled_ingestion_log (
    id BIGSERIAL PRIMARY KEY, source TEXT NOT NULL, movies_checked INT, movies_skipped INT, movies_ingested INT,
    movies_failed INT, ingested_titles TEXT[], failed_titles TEXT[], duration_ms INT, trigger_type TEXT,
    created_at TIMESTAMPTZ DEFAULT now()
);
CREATE TABLE refresh_queue (
    id BIGSERIAL PRIMARY KEY, work_id BIGINT REFERENCES works (work_id) ON DELETE CASCADE, priority INT DEFAULT 0,
    status TEXT DEFAULT 'queued' CHECK (status IN ('queued', 'processing', 'completed', 'failed')),
    queued_at TIMESTAMPTZ DEFAULT now(), processed_at TIMESTAMPTZ, retry_count INT DEFAULT 0, last_error TEXT,
    created_at TIMESTAMPTZ DEFAULT now()
);
CREATE TABLE sync_state (
    sync_type TEXT PRIMARY KEY, last_sync_at TIMESTAMPTZ, last_sync_cursor TEXT, sync_count INT DEFAULT 0,
    updated_at TIMESTAMPTZ DEFAULT now()
);
"""

FUNCTIONS = """
CREATE FUNCTION calculate_staleness_days(release_date date) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    IF release_date IS NULL THEN RETURN 30; END IF;
    IF CURRENT_DATE - release_date <= 30 THEN RETURN 2; END IF;
    RETURN 30;
END $$;
CREATE FUNCTION is_stale(work_id_input bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE refreshed timestamptz;
BEGIN
    SELECT last_refreshed_at INTO refreshed FROM works WHERE work_id = work_id_input;
    RETURN refreshed IS NULL OR refreshed < now() - interval '30 days';
END $$;
CREATE FUNCTION get_stale_movies(limit_count int DEFAULT 100)
RETURNS TABLE (work_id bigint, tmdb_id text, title text, release_date date, last_refreshed_at timestamptz)
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT w.work_id, w.tmdb_id, w.title, w.release_date, w.last_refreshed_at FROM works w
    WHERE is_stale(w.work_id) LIMIT limit_count;
END $$;
"""

_TRIGGERS = """
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.updated_at = now(); RETURN NEW; END $$;
CREATE TRIGGER touch_works BEFORE UPDATE ON works FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER touch_meta BEFORE UPDATE ON works_meta FOR EACH ROW EXECUTE FUNCTION touch();
"""

_PACIFIC = """
ALTER TABLE scheduled_ingestion_log ADD COLUMN error_message TEXT, ADD COLUMN run_at TIMESTAMPTZ DEFAULT now(),
    ADD COLUMN created_at_pacific_formatted TEXT;
CREATE FUNCTION format_pacific() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.created_at_pacific_formatted = to_char(NEW.created_at AT TIME ZONE 'America/Los_Angeles', 'YYYY-MM-DD HH12:MI');
    RETURN NEW;
END $$;
CREATE TRIGGER pacific BEFORE INSERT OR UPDATE ON scheduled_ingestion_log FOR EACH ROW
EXECUTE FUNCTION format_pacific();
UPDATE scheduled_ingestion_log SET movies_checked = movies_checked;
ALTER TABLE scheduled_ingestion_log ALTER COLUMN created_at_pacific_formatted SET NOT NULL;
"""

_POLICIES = """
ALTER TABLE works ENABLE ROW LEVEL SECURITY;
ALTER TABLE works_meta ENABLE ROW LEVEL SECURITY;
ALTER TABLE work_cards_cache ENABLE ROW LEVEL SECURITY;
ALTER TABLE tmdb_api_logs ENABLE ROW LEVEL SECURITY;
CREATE POLICY "anyone reads works" ON works FOR SELECT TO anon, authenticated USING (true);
CREATE POLICY "anyone reads cards" ON work_cards_cache FOR SELECT TO anon, authenticated USING (true);
CREATE POLICY "service writes works" ON works FOR ALL TO service_role USING (true) WITH CHECK (true);
CREATE POLICY "dashboard" ON tmdb_api_logs FOR SELECT TO anon USING (true);
"""

_UUID = """
ALTER TABLE {table} DROP CONSTRAINT {table}_pkey, DROP COLUMN id;
ALTER TABLE {table} ADD COLUMN id UUID PRIMARY KEY DEFAULT gen_random_uuid();
"""

_JSON_TITLES = """
ALTER TABLE scheduled_ingestion_log
    ALTER COLUMN ingested_titles TYPE JSONB USING to_jsonb(ingested_titles),
    ALTER COLUMN failed_titles TYPE JSONB USING to_jsonb(failed_titles);
"""

_EXTRA_META = """
ALTER TABLE works ADD COLUMN trigger_source TEXT DEFAULT 'voice';
ALTER TABLE works_meta ADD COLUMN moods TEXT[], ADD COLUMN themes TEXT[], ADD COLUMN awards JSONB,
    ADD COLUMN subgenres TEXT[];
UPDATE works_meta SET moods = ARRAY['dark'], themes = ARRAY['identity'], awards = '[{"name": "Oscar"}]',
    subgenres = ARRAY['cyberpunk'];
"""

_NULLS = """
ALTER TABLE works ALTER COLUMN tmdb_id DROP NOT NULL, ALTER COLUMN title DROP NOT NULL;
ALTER TABLE rating_sources ALTER COLUMN work_id DROP NOT NULL;
ALTER TABLE similar_movies ALTER COLUMN work_id DROP NOT NULL, ALTER COLUMN source DROP NOT NULL;
ALTER TABLE work_cards_cache ALTER COLUMN payload DROP NOT NULL;
ALTER TABLE tmdb_api_logs ALTER COLUMN endpoint DROP NOT NULL;
ALTER TABLE scheduled_ingestion_log ALTER COLUMN source DROP NOT NULL;
INSERT INTO works (tmdb_id, title) VALUES (NULL, NULL);
INSERT INTO tmdb_api_logs (endpoint) VALUES (NULL);
"""

DRIFTS = {
    "none": "SELECT",
    "functions": FUNCTIONS,
    "other parameter names": FUNCTIONS.replace("work_id_input", "work_id_in").replace("limit_count", "how_many"),
    "another result": FUNCTIONS
    + """DROP FUNCTION get_stale_movies(int); CREATE FUNCTION get_stale_movies(limit_count int) RETURNS SETOF works
    LANGUAGE sql AS 'SELECT * FROM works LIMIT limit_count';""",
    "functions of their owner": FUNCTIONS + "ALTER FUNCTION is_stale(bigint) SECURITY DEFINER;",
    "no queue and no state": "DROP TABLE refresh_queue, sync_state;",
    "once in a life": "ALTER TABLE refresh_queue DROP COLUMN created_at, ADD UNIQUE (work_id);",
    "once in a life by an index": "CREATE UNIQUE INDEX one_entry ON refresh_queue (work_id);",
    "queue keyed by work": "ALTER TABLE refresh_queue DROP COLUMN id, ADD PRIMARY KEY (work_id);",
    "state without cursor": "ALTER TABLE sync_state DROP COLUMN last_sync_cursor, DROP COLUMN sync_count;",
    "state with an id": "ALTER TABLE sync_state DROP CONSTRAINT sync_state_pkey, ADD UNIQUE (sync_type), "
    "ADD COLUMN id UUID PRIMARY KEY DEFAULT gen_random_uuid();",
    "no ingestion log": "DROP TABLE scheduled_ingestion_log;",
    "ingestion log of another shape": "ALTER TABLE scheduled_ingestion_log DROP COLUMN movies_checked, "
    "DROP COLUMN movies_skipped, DROP COLUMN movies_ingested, DROP COLUMN movies_failed, DROP COLUMN duration_ms, "
    "DROP COLUMN trigger_type;",
    "uuid in the ingestion log": _UUID.format(table="scheduled_ingestion_log"),
    "uuid in the call log": _UUID.format(table="tmdb_api_logs"),
    "uuid in similar movies": _UUID.format(table="similar_movies")
    + "ALTER TABLE similar_movies ADD COLUMN similar_work_id BIGINT REFERENCES works (work_id);",
    "uuid in the queue": _UUID.format(table="refresh_queue"),
    "entries of no work": "ALTER TABLE refresh_queue DROP CONSTRAINT refresh_queue_work_id_fkey; "
    "INSERT INTO refresh_queue (work_id, status, priority) "
    "VALUES (NULL, 'queued', 99), (NULL, 'processing', 99), (999, 'queued', 99), (998, 'processing', 99); "
    "UPDATE refresh_queue SET queued_at = NULL;",
    "titles in json": _JSON_TITLES,
    "nulls": _NULLS,
    "columns and a trigger": _PACIFIC,
    "columns of other tools": _EXTRA_META,
    "triggers": _TRIGGERS,
    "varchar and numeric": "ALTER TABLE works ALTER COLUMN title TYPE VARCHAR; "
    "ALTER TABLE rating_sources ALTER COLUMN value_raw TYPE NUMERIC(3, 1), "
    "ALTER COLUMN value_0_100 TYPE NUMERIC(5, 2); "
    "ALTER TABLE aggregates ALTER COLUMN ai_score TYPE NUMERIC, ALTER COLUMN ai_score_low TYPE DOUBLE PRECISION; "
    "ALTER TABLE works_meta ALTER COLUMN schema_version TYPE BIGINT;",
    "varchar in the queue": "ALTER TABLE refresh_queue ALTER COLUMN status TYPE VARCHAR;",
    "fewer columns": "ALTER TABLE works_meta DROP COLUMN collection, DROP COLUMN similar_movie_ids, "
    "DROP COLUMN schema_version; ALTER TABLE works DROP COLUMN request_count; "
    "ALTER TABLE work_cards_cache DROP COLUMN payload_short, DROP COLUMN etag;",
    "fewer keys and defaults": "ALTER TABLE rating_sources DROP CONSTRAINT rating_sources_work_id_source_name_key; "
    "ALTER TABLE works DROP CONSTRAINT works_tmdb_id_key, ALTER COLUMN ingestion_status DROP DEFAULT; "
    "ALTER TABLE similar_movies DROP CONSTRAINT similar_movies_work_id_fkey;",
    "policies": _POLICIES,
}
"""What was seen in the wild, one at a time. `policies` needs Supabase's roles."""

COMBINED = (
    "functions",
    "once in a life",
    "state without cursor",
    "uuid in the ingestion log",
    "uuid in the call log",
    "uuid in similar movies",
    "titles in json",
    "nulls",
    "columns and a trigger",
    "columns of other tools",
    "triggers",
)
"""The drifts that were seen together; with `policies` where the roles are."""

_ROWS = """
INSERT INTO works (tmdb_id, imdb_id, title, year, release_date, last_refreshed_at, request_count, ingestion_status)
SELECT t.tmdb_id, 'tt' || t.tmdb_id, 'Old title ' || t.tmdb_id, 1999, '1999-03-31', now() - t.age, 3, t.status
FROM unnest(
    CAST(:tmdb_ids AS text[]),
    ARRAY['complete', 'complete', 'complete', 'ingesting', 'failed', 'pending', NULL],
    ARRAY[interval '1 day', '1 day', '1 day', '90 days', '40 days', NULL, NULL]
) AS t(tmdb_id, status, age);
INSERT INTO works_meta (work_id, tagline, genres, streaming, schema_version, fetched_at)
SELECT work_id, 'Old tagline', ARRAY['Old genre'], '{"us": {}}',
    CASE WHEN work_id = 2 THEN 3 ELSE :schema_version END, now()
FROM works WHERE work_id <= 4;
INSERT INTO rating_sources (work_id, source_name, scale_type, value_raw, value_0_100, votes_count)
SELECT work_id, source, '0_10', 7.5, 75, 1000 FROM works, unnest(ARRAY['TMDB', 'IMDB', 'Letterboxd']) source
WHERE work_id <= 4;
INSERT INTO aggregates (work_id, method_version, ai_score, source_scores)
SELECT work_id, method, 75, '{"tmdb": {"score": 75, "votes": 10}}'
FROM works, unnest(ARRAY['v1_2025_11', 'critics_2024']) method WHERE work_id <= 4;
INSERT INTO similar_movies (work_id, similar_tmdb_id, source, rank_order, confidence, notes)
SELECT work_id, tmdb_id_2, source, 1, 0.5, 'Old'
FROM works, unnest(ARRAY['11', '12']) tmdb_id_2, unnest(ARRAY['tmdb', 'openai']) source WHERE work_id <= 4;
INSERT INTO work_cards_cache (work_id, payload, payload_short, etag)
SELECT work_id, CAST(:card AS jsonb) || CASE work_id WHEN 1 THEN '{"attribution": {}}' ELSE '{}' END::jsonb, '{}', 'old'
FROM works WHERE work_id <= 4;
INSERT INTO tmdb_api_logs (endpoint, http_status, edge_function, created_at)
SELECT '/movie/603/credits', 200, 'ingest-movie', now() - n * interval '1 hour' FROM generate_series(1, 20) n;
INSERT INTO scheduled_ingestion_log
    (source, movies_checked, movies_ingested, ingested_titles, failed_titles, trigger_type)
VALUES ('popular', 100, 2, ARRAY['The Matrix (1999)', 'Heat, "1995"'], ARRAY['Gone: 404'], 'scheduled'),
    ('mixed', 20, 0, '{}', NULL, 'manual');
INSERT INTO refresh_queue (work_id, status, priority, queued_at, processed_at, retry_count, last_error) VALUES
    (1, 'completed', 0, now() - interval '60 days', now() - interval '60 days', 0, NULL),
    (2, 'processing', 10, now() - interval '90 days', NULL, 1, 'timeout'),
    (3, 'failed', 0, now() - interval '9 days', now() - interval '9 days', 3, '500'),
    (4, 'queued', 5, now() - interval '9 days', NULL, 0, NULL);
INSERT INTO sync_state (sync_type, last_sync_at) VALUES ('daily_refresh', now() - interval '60 days');
"""


def build_old_system(engine: Engine, tmdb_ids: Sequence[int], *drifts: str) -> None:
    """The old system's database with seven works (statuses: see _ROWS) and all that hangs on them, and its drifts.

    Work 1 has a card with an attribution, 2 an old schema version, 3 a card without attribution, 4 was left
    `ingesting` and 5 `failed`, 6 is pending, and 7 has no status.
    """
    card: dict[str, Any] = {"title": "Old card", "poster": {}}
    with engine.begin() as connection:
        connection.exec_driver_sql(CATALOGUE)
        rows = {
            "tmdb_ids": [str(tmdb_id) for tmdb_id in tmdb_ids[:7]],
            "card": json.dumps(card),
            "schema_version": SCHEMA_VERSION,
        }
        connection.execute(text(_ROWS), rows)
        for drift in drifts:
            connection.exec_driver_sql(DRIFTS[drift])


TMDB_IDS = (603, 550, 680, 13, 155, 27205, 496243)

COLUMNS = """
    SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'
    ORDER BY table_name, ordinal_position
"""
SIGNATURES = """
    SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ') ' || pg_get_function_result(p.oid)
    FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
"""
OBJECTS = """
    SELECT 'constraint ' || conrelid::regclass || '.' || conname FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    UNION ALL SELECT 'index ' || indexname FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'policy ' || policyname FROM pg_policies WHERE schemaname = 'public'
"""
ONCE_IN_A_LIFE = {
    "constraint refresh_queue.refresh_queue_work_id_key",
    "index refresh_queue_work_id_key",
    "index one_entry",
    "constraint refresh_queue.refresh_queue_pkey",
    "index refresh_queue_pkey",
}


def state(engine: Engine) -> dict[str, Any]:
    """All rows, and all that a takeover must not take away."""
    columns = rows(engine, COLUMNS)
    tables = sorted({row.table_name for row in columns})
    return {
        "columns": {tuple(row) for row in columns},
        "signatures": {row[0] for row in rows(engine, SIGNATURES)},
        "objects": {row[0] for row in rows(engine, OBJECTS)},
        "rows": contents(engine, *tables),
    }


def assert_nothing_lost(before: dict[str, Any], engine: Engine) -> None:
    after = state(engine)
    assert before["columns"] <= after["columns"]
    assert before["signatures"] <= after["signatures"]
    assert before["objects"] - after["objects"] <= ONCE_IN_A_LIFE
    for table, old_rows in before["rows"].items():
        known = [column for name, column, _ in before["columns"] if name == table]
        kept = [{column: row[column] for column in known} for row in after["rows"][table]]
        assert sorted(old_rows, key=repr_of) == sorted(kept, key=repr_of), table


def repr_of(row: dict[str, Any]) -> str:
    return repr(sorted(row.items()))
