CREATE OR REPLACE VIEW v_queue_status WITH (security_invoker = true) AS
SELECT
    q.status,
    q.priority,
    q.reason,
    q.claimed,
    count(*) AS entries,
    count(*) FILTER (WHERE q.status = 'queued' AND (q.due_at <= now() OR q.due_at IS NULL)) AS due,
    min(q.due_at) FILTER (WHERE q.status = 'queued') AS next_due_at,
    min(q.queued_at) FILTER (WHERE q.is_open) AS oldest_queued_at,
    extract(epoch FROM now() - min(q.queued_at) FILTER (WHERE q.is_open))::float8 AS oldest_age_s,
    coalesce(sum(q.retry_count), 0)::bigint AS retries,
    max(q.processed_at) AS last_processed_at,
    (array_agg(q.last_error ORDER BY coalesce(q.processed_at, q.claimed_at, q.queued_at) DESC NULLS LAST)
        FILTER (WHERE q.last_error IS NOT NULL))[1] AS last_error
FROM (
    SELECT r.*, r.status IN ('queued', 'processing') AS is_open,
        r.status = 'processing' AND EXISTS (
            SELECT FROM run_leases l WHERE l.run_id = r.claimed_by AND l.expires_at > now()
        ) AS claimed
    FROM refresh_queue r
) AS q
GROUP BY q.status, q.priority, q.reason, q.claimed;

COMMENT ON VIEW v_queue_status IS 'The refresh queue by status, priority, reason and whether a live run is at it.';
COMMENT ON COLUMN v_queue_status.status IS 'queued, processing, completed or failed.';
COMMENT ON COLUMN v_queue_status.priority IS 'Higher goes first.';
COMMENT ON COLUMN v_queue_status.reason IS 'requested, new, schema, recent, changed, retry or stale.';
COMMENT ON COLUMN v_queue_status.claimed IS
    'Whether a run that is alive processes them; processing and not claimed: its run died.';
COMMENT ON COLUMN v_queue_status.entries IS 'Number of entries.';
COMMENT ON COLUMN v_queue_status.due IS 'Of these, queued and due now.';
COMMENT ON COLUMN v_queue_status.next_due_at IS 'When the next queued one is due.';
COMMENT ON COLUMN v_queue_status.oldest_queued_at IS 'When the oldest was queued; NULL for finished ones.';
COMMENT ON COLUMN v_queue_status.oldest_age_s IS 'Seconds since then.';
COMMENT ON COLUMN v_queue_status.retries IS 'Failed tries of all of them.';
COMMENT ON COLUMN v_queue_status.last_processed_at IS 'When the last one was finished.';
COMMENT ON COLUMN v_queue_status.last_error IS 'The newest error of one of them; NULL where none has one.';
