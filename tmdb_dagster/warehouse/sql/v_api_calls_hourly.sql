-- tmdb_api_logs_hour_idx is on this hour.
CREATE OR REPLACE VIEW v_api_calls_hourly WITH (security_invoker = true) AS
SELECT
    date_trunc('hour', c.created_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS hour,
    c.edge_function AS job,
    count(*) AS calls,
    count(*) FILTER (WHERE is_failed_call(c)) AS errors,
    round(count(*) FILTER (WHERE is_failed_call(c))::numeric / count(*), 4)::float8 AS error_rate,
    count(*) FILTER (WHERE c.retry_count > 0) AS retries,
    count(*) FILTER (WHERE c.http_status = 429) AS rate_limited,
    round(percentile_cont(0.5) WITHIN GROUP (ORDER BY c.response_time_ms))::integer AS p50_ms,
    round(percentile_cont(0.95) WITHIN GROUP (ORDER BY c.response_time_ms))::integer AS p95_ms,
    coalesce(sum(c.response_size_bytes), 0)::bigint AS bytes
FROM tmdb_api_logs c
GROUP BY 1, 2;

COMMENT ON VIEW v_api_calls_hourly IS 'Calls to TMDB by hour and job; hours without a call have no row.';
COMMENT ON COLUMN v_api_calls_hourly.hour IS 'Start of the hour.';
COMMENT ON COLUMN v_api_calls_hourly.job IS 'Dagster job that called.';
COMMENT ON COLUMN v_api_calls_hourly.calls IS 'Calls, retries included.';
COMMENT ON COLUMN v_api_calls_hourly.errors IS 'Of these, without a good answer.';
COMMENT ON COLUMN v_api_calls_hourly.error_rate IS 'errors / calls, 0 to 1.';
COMMENT ON COLUMN v_api_calls_hourly.retries IS 'Calls that repeated a failed one.';
COMMENT ON COLUMN v_api_calls_hourly.rate_limited IS 'Calls that TMDB refused for their rate (429).';
COMMENT ON COLUMN v_api_calls_hourly.p50_ms IS 'Median response time, milliseconds.';
COMMENT ON COLUMN v_api_calls_hourly.p95_ms IS '95 of 100 calls were answered within so many milliseconds.';
COMMENT ON COLUMN v_api_calls_hourly.bytes IS 'Size of the decoded answers.';
