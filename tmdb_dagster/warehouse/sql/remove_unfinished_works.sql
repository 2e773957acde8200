CREATE OR REPLACE FUNCTION remove_unfinished_works(run_id_input text) RETURNS integer
LANGUAGE sql SECURITY DEFINER AS $$
    WITH removed AS (
        DELETE FROM works w WHERE w.work_id IN (
            SELECT c.work_id FROM works c
            WHERE c.ingestion_status = 'ingesting' AND c.claimed_by IS NOT NULL AND c.status_before_claim IS NULL
                AND is_unwritten(c)
                AND CASE WHEN run_id_input IS NULL THEN NOT EXISTS (
                    SELECT FROM run_leases l WHERE l.run_id = c.claimed_by AND l.expires_at > clock_timestamp()
                ) ELSE c.claimed_by = run_id_input END
            FOR UPDATE SKIP LOCKED
        ) RETURNING w.work_id
    )
    SELECT count(*)::integer FROM removed
$$;

-- It runs with its owner's rights, so nobody else may choose what the names in it mean, nor who calls it.
DO $do$ BEGIN
    EXECUTE format(
        'ALTER FUNCTION remove_unfinished_works(text) SET search_path TO %I, pg_temp', current_schema()
    );
END $do$;
REVOKE ALL ON FUNCTION remove_unfinished_works(text) FROM PUBLIC;

COMMENT ON FUNCTION remove_unfinished_works(text) IS
    'Removes the works that a run (NULL: those that died) made and did not finish, of which nothing was ever written; '
    'returns how many. Thus the pipeline''s role needs no DELETE on works.';
