-- Two branches: an OR of the two would keep several processors from counting.
CREATE OR REPLACE VIEW v_image_coverage WITH (security_invoker = true) AS
SELECT
    i.kind,
    i.status,
    count(*) AS images,
    coalesce(sum(i.bytes), 0)::bigint AS bytes,
    min(i.next_attempt_at) AS next_attempt_at,
    max(i.last_error) AS last_error
FROM (
    SELECT kind, status, bytes, next_attempt_at, last_error FROM image_inventory WHERE status = 'stored'
    UNION ALL
    SELECT kind, status, bytes, next_attempt_at, last_error FROM image_inventory m
    WHERE status <> 'stored' AND EXISTS (SELECT FROM work_images l WHERE l.key = m.key)
) AS i
GROUP BY i.kind, i.status;

COMMENT ON VIEW v_image_coverage IS 'The images by kind and status: what is in our store, and what movies lack.';
COMMENT ON COLUMN v_image_coverage.kind IS 'poster, backdrop, trailer, cast or still.';
COMMENT ON COLUMN v_image_coverage.status IS
    'pending, stored, failed (tried again by itself) or gave_up (a person must act).';
COMMENT ON COLUMN v_image_coverage.images IS 'Number of images.';
COMMENT ON COLUMN v_image_coverage.bytes IS 'Their size in our store.';
COMMENT ON COLUMN v_image_coverage.next_attempt_at IS 'When the next of them is tried again.';
COMMENT ON COLUMN v_image_coverage.last_error IS 'An error of one of them; NULL where none has one.';
