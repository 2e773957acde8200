-- Of what is stored an index holds all that is counted; it has neither error nor next attempt.
CREATE OR REPLACE VIEW v_image_coverage WITH (security_invoker = true) AS
SELECT
    kind,
    'stored' AS status,
    count(*) AS images,
    coalesce(sum(bytes), 0)::bigint AS bytes,
    NULL::timestamptz AS next_attempt_at,
    NULL::text AS last_error
FROM image_inventory
WHERE status = 'stored'
GROUP BY kind
UNION ALL
SELECT
    kind,
    status,
    count(*),
    coalesce(sum(bytes), 0)::bigint,
    min(next_attempt_at),
    max(last_error)
FROM image_inventory i
WHERE status <> 'stored' AND EXISTS (SELECT FROM work_images l WHERE l.key = i.key)
GROUP BY kind, status;

COMMENT ON VIEW v_image_coverage IS 'The images by kind and status: what is in our store, and what movies lack.';
COMMENT ON COLUMN v_image_coverage.kind IS 'poster, backdrop, trailer, cast or still.';
COMMENT ON COLUMN v_image_coverage.status IS
    'pending, stored, failed (tried again by itself) or gave_up (a person must act).';
COMMENT ON COLUMN v_image_coverage.images IS 'Number of images.';
COMMENT ON COLUMN v_image_coverage.bytes IS 'Their size in our store.';
COMMENT ON COLUMN v_image_coverage.next_attempt_at IS 'When the next of them is tried again.';
COMMENT ON COLUMN v_image_coverage.last_error IS 'An error of one of them; NULL where none has one.';
