-- Titles are arrays of text, or JSONB in a database that was taken over: both become JSON.
CREATE OR REPLACE VIEW v_run_history WITH (security_invoker = true) AS
SELECT
    l.created_at - make_interval(secs => coalesce(l.duration_ms, 0) / 1000.0) AS started_at,
    l.created_at AS ended_at,
    (l.duration_ms / 1000.0)::float8 AS duration_s,
    CASE l.source WHEN 'mixed' THEN 'all' ELSE l.source END AS source,
    l.trigger_type,
    CASE
        WHEN l.error_message IS NOT NULL THEN 'failed'
        WHEN l.movies_failed > 0 THEN 'incomplete'
        ELSE 'succeeded'
    END AS status,
    coalesce(l.movies_checked, 0) AS movies_checked,
    coalesce(l.movies_skipped, 0) AS movies_skipped,
    coalesce(l.movies_ingested, 0) AS movies_ingested,
    coalesce(l.movies_failed, 0) AS movies_failed,
    coalesce(to_jsonb(l.ingested_titles), '[]') AS ingested_titles,
    coalesce(to_jsonb(l.failed_titles), '[]') AS failed_titles,
    l.error_message,
    l.run_id,
    l.movies_excluded,
    coalesce(l.exclusions, '{}') AS exclusions,
    CASE WHEN l.source IN ('refresh', 'drain') THEN l.source ELSE 'ingest' END AS kind
FROM scheduled_ingestion_log l;

COMMENT ON VIEW v_run_history IS 'The runs, newest last: one row for each row of scheduled_ingestion_log.';
COMMENT ON COLUMN v_run_history.started_at IS 'When it began.';
COMMENT ON COLUMN v_run_history.ended_at IS 'When it ended.';
COMMENT ON COLUMN v_run_history.duration_s IS 'Seconds from start to end.';
COMMENT ON COLUMN v_run_history.source IS
    'Lists asked for, as the config names them; refresh or drain where none were.';
COMMENT ON COLUMN v_run_history.trigger_type IS 'scheduled or manual.';
COMMENT ON COLUMN v_run_history.status IS
    'failed (the run as a whole), incomplete (some movies failed) or succeeded.';
COMMENT ON COLUMN v_run_history.movies_checked IS 'Different movies seen in the lists, or taken from the queue.';
COMMENT ON COLUMN v_run_history.movies_skipped IS 'Of these, already in works.';
COMMENT ON COLUMN v_run_history.movies_ingested IS 'Ingested, or refreshed.';
COMMENT ON COLUMN v_run_history.movies_failed IS 'Could not be ingested.';
COMMENT ON COLUMN v_run_history.ingested_titles IS 'JSON array of Title (Year).';
COMMENT ON COLUMN v_run_history.failed_titles IS 'JSON array of Title: error.';
COMMENT ON COLUMN v_run_history.error_message IS 'Why the run as a whole failed; NULL where it did not.';
COMMENT ON COLUMN v_run_history.run_id IS 'Dagster run.';
COMMENT ON COLUMN v_run_history.movies_excluded IS 'Kept out, by the owner or by the settings.';
COMMENT ON COLUMN v_run_history.exclusions IS 'How many of these for which reason, as JSON.';
COMMENT ON COLUMN v_run_history.kind IS 'ingest, refresh (the daily one) or drain (of the refresh queue).';
