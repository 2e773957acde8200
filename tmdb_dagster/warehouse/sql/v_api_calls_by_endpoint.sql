-- The periods overlap, so that each has percentiles of its own: those of days could not be added up.
CREATE OR REPLACE VIEW v_api_calls_by_endpoint WITH (security_invoker = true) AS
SELECT
    p.period,
    coalesce(c.endpoint_pattern, endpoint_pattern(c.endpoint)) AS endpoint,
    count(*) AS calls,
    count(*) FILTER (WHERE is_failed_call(c)) AS errors,
    round(count(*) FILTER (WHERE is_failed_call(c))::numeric / count(*), 4)::float8 AS error_rate,
    count(*) FILTER (WHERE c.retry_count > 0) AS retries,
    count(*) FILTER (WHERE c.http_status = 429) AS rate_limited,
    round(percentile_cont(0.5) WITHIN GROUP (ORDER BY c.response_time_ms))::integer AS p50_ms,
    round(percentile_cont(0.95) WITHIN GROUP (ORDER BY c.response_time_ms))::integer AS p95_ms,
    coalesce(sum(c.response_size_bytes), 0)::bigint AS bytes,
    max(c.created_at) AS last_call_at
FROM (VALUES ('1 day', interval '1 day'), ('7 days', interval '7 days'), ('30 days', interval '30 days'))
    AS p (period, length)
JOIN tmdb_api_logs c ON c.created_at > now() - p.length
GROUP BY p.period, 2;

COMMENT ON VIEW v_api_calls_by_endpoint IS
    'Calls to TMDB by endpoint, in the last day, 7 days and 30 days; choose one period.';
COMMENT ON COLUMN v_api_calls_by_endpoint.period IS '1 day, 7 days or 30 days, up to now.';
COMMENT ON COLUMN v_api_calls_by_endpoint.endpoint IS 'Path with {id} for ids, such as /movie/{id}.';
COMMENT ON COLUMN v_api_calls_by_endpoint.calls IS 'Calls, retries included.';
COMMENT ON COLUMN v_api_calls_by_endpoint.errors IS 'Of these, without a good answer.';
COMMENT ON COLUMN v_api_calls_by_endpoint.error_rate IS 'errors / calls, 0 to 1.';
COMMENT ON COLUMN v_api_calls_by_endpoint.retries IS 'Calls that repeated a failed one.';
COMMENT ON COLUMN v_api_calls_by_endpoint.rate_limited IS 'Calls that TMDB refused for their rate (429).';
COMMENT ON COLUMN v_api_calls_by_endpoint.p50_ms IS 'Median response time, milliseconds.';
COMMENT ON COLUMN v_api_calls_by_endpoint.p95_ms IS '95 of 100 calls were answered within so many milliseconds.';
COMMENT ON COLUMN v_api_calls_by_endpoint.bytes IS 'Size of the decoded answers.';
COMMENT ON COLUMN v_api_calls_by_endpoint.last_call_at IS 'When the last call was sent.';
