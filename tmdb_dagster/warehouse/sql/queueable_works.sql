CREATE OR REPLACE FUNCTION queueable_works()
RETURNS TABLE (work_id bigint, tmdb_id text, title text, release_date date, last_refreshed_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT w.work_id, w.tmdb_id, w.title, w.release_date, w.last_refreshed_at
    FROM works w
    WHERE w.tmdb_id ~ '^[0-9]+$'
        -- A run is fetching it: queued now, it would be asked for twice.
        AND w.ingestion_status IS DISTINCT FROM 'ingesting'
        AND NOT EXISTS (SELECT FROM excluded_movies x WHERE x.tmdb_id = w.tmdb_id)
        AND (w.retry_at IS NULL OR w.retry_at <= now())
        AND NOT EXISTS (
            SELECT FROM refresh_queue q WHERE q.work_id = w.work_id AND q.status IN ('queued', 'processing')
        )
$$;

COMMENT ON FUNCTION queueable_works() IS
    'The works that TMDB can be asked for, that no run is fetching, that need not wait after a failure, that are not '
    'excluded, and that are not queued.';
