-- Counted by error first, so that the newest error is sought among few rows: any number of entries may be finished.
CREATE OR REPLACE VIEW v_queue_status WITH (security_invoker = true) AS
SELECT
    q.status,
    q.priority,
    q.reason,
    q.claimed,
    sum(q.entries)::bigint AS entries,
    sum(q.due)::bigint AS due,
    min(q.next_due_at) AS next_due_at,
    min(q.oldest_queued_at) AS oldest_queued_at,
    extract(epoch FROM now() - min(q.oldest_queued_at))::float8 AS oldest_age_s,
    coalesce(sum(q.retries), 0)::bigint AS retries,
    max(q.last_processed_at) AS last_processed_at,
    (array_agg(q.last_error ORDER BY q.last_seen_at DESC NULLS LAST) FILTER (WHERE q.last_error IS NOT NULL))[1]
        AS last_error
FROM (
    SELECT
        r.status,
        r.priority,
        r.reason,
        (r.status = 'processing' AND r.claimed_by IN (SELECT run_id FROM run_leases WHERE expires_at > now())) IS TRUE
            AS claimed,
        r.last_error,
        count(*) AS entries,
        count(*) FILTER (WHERE r.status = 'queued' AND (r.due_at <= now() OR r.due_at IS NULL)) AS due,
        min(r.due_at) FILTER (WHERE r.status = 'queued') AS next_due_at,
        min(r.queued_at) FILTER (WHERE r.status IN ('queued', 'processing')) AS oldest_queued_at,
        sum(r.retry_count) AS retries,
        max(r.processed_at) AS last_processed_at,
        max(coalesce(r.processed_at, r.claimed_at, r.queued_at)) AS last_seen_at
    FROM refresh_queue r
    GROUP BY 1, 2, 3, 4, 5
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
