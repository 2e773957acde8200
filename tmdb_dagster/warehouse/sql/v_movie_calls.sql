CREATE OR REPLACE VIEW v_movie_calls WITH (security_invoker = true) AS
SELECT m.tmdb_id, w.work_id, w.title, m.calls, m.errors, m.retries, m.mean_ms, m.bytes, m.last_call_at, m.last_error_at
FROM (
    SELECT
        c.tmdb_id,
        count(*) AS calls,
        count(*) FILTER (WHERE is_failed_call(c)) AS errors,
        count(*) FILTER (WHERE c.retry_count > 0) AS retries,
        avg(c.response_time_ms)::float8 AS mean_ms,
        coalesce(sum(c.response_size_bytes), 0)::bigint AS bytes,
        max(c.created_at) AS last_call_at,
        max(c.created_at) FILTER (WHERE is_failed_call(c)) AS last_error_at
    FROM tmdb_api_logs c
    WHERE c.tmdb_id IS NOT NULL
    GROUP BY c.tmdb_id
) AS m
LEFT JOIN works w USING (tmdb_id);

COMMENT ON VIEW v_movie_calls IS
    'What each movie has cost: its calls to TMDB, as far back as tmdb_api_logs goes. Ask by tmdb_id for one movie.';
COMMENT ON COLUMN v_movie_calls.tmdb_id IS 'TMDB''s id of the movie.';
COMMENT ON COLUMN v_movie_calls.work_id IS 'Our id; NULL where works does not have it.';
COMMENT ON COLUMN v_movie_calls.title IS 'Title.';
COMMENT ON COLUMN v_movie_calls.calls IS 'Calls, retries included.';
COMMENT ON COLUMN v_movie_calls.errors IS 'Of these, without a good answer.';
COMMENT ON COLUMN v_movie_calls.retries IS 'Calls that repeated a failed one.';
COMMENT ON COLUMN v_movie_calls.mean_ms IS 'Mean response time, milliseconds.';
COMMENT ON COLUMN v_movie_calls.bytes IS 'Size of the decoded answers.';
COMMENT ON COLUMN v_movie_calls.last_call_at IS 'When the last call was sent.';
COMMENT ON COLUMN v_movie_calls.last_error_at IS 'When the last failed call was sent.';
