CREATE OR REPLACE FUNCTION get_stale_movies(limit_count integer)
RETURNS TABLE (work_id bigint, tmdb_id text, title text, release_date date, last_refreshed_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT work_id, tmdb_id, title, release_date, last_refreshed_at FROM stale_works(limit_count)
$$;

COMMENT ON FUNCTION get_stale_movies(integer) IS 'stale_works under the name that older readers call.';
