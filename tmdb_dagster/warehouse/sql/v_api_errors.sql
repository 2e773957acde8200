CREATE OR REPLACE VIEW v_api_errors WITH (security_invoker = true) AS
SELECT
    p.period,
    c.http_status,
    coalesce(c.endpoint_pattern, endpoint_pattern(c.endpoint)) AS endpoint,
    failure_reason(c.error_message) AS message,
    count(*) AS calls,
    count(DISTINCT c.tmdb_id) AS movies,
    min(c.created_at) AS first_seen_at,
    max(c.created_at) AS last_seen_at
FROM (VALUES ('1 day', interval '1 day'), ('7 days', interval '7 days'), ('30 days', interval '30 days'))
    AS p (period, length)
JOIN tmdb_api_logs c ON c.created_at > now() - p.length
WHERE is_failed_call(c)
GROUP BY p.period, c.http_status, 3, 4;

COMMENT ON VIEW v_api_errors IS
    'Failed calls to TMDB by what was wrong, in the last day, 7 days and 30 days; choose one period.';
COMMENT ON COLUMN v_api_errors.period IS '1 day, 7 days or 30 days, up to now.';
COMMENT ON COLUMN v_api_errors.http_status IS 'HTTP status; 0 where no answer came.';
COMMENT ON COLUMN v_api_errors.endpoint IS 'Path with {id} for ids.';
COMMENT ON COLUMN v_api_errors.message IS 'What was wrong, as failure_reason says it.';
COMMENT ON COLUMN v_api_errors.calls IS 'Failed calls.';
COMMENT ON COLUMN v_api_errors.movies IS 'Different movies that they asked for.';
COMMENT ON COLUMN v_api_errors.first_seen_at IS 'The first of these calls.';
COMMENT ON COLUMN v_api_errors.last_seen_at IS 'The last of these calls.';
