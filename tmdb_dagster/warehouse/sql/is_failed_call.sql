CREATE OR REPLACE FUNCTION is_failed_call(call tmdb_api_logs) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT call.error_message IS NOT NULL OR call.http_status < 200 OR call.http_status >= 400
$$;

COMMENT ON FUNCTION is_failed_call(tmdb_api_logs) IS 'Whether a call to TMDB had no good answer.';
