CREATE OR REPLACE FUNCTION remove_unknown_works(run_id_input text, work_ids bigint[]) RETURNS SETOF bigint
LANGUAGE sql SECURITY DEFINER AS $$
    WITH unknown AS (
        SELECT w.work_id FROM works w
        WHERE w.work_id = ANY(work_ids) AND w.claimed_by = run_id_input AND w.added_by IS NOT NULL
            AND w.gone_at IS NULL -- else it was known once
            AND is_unwritten(w)
    ), orphaned AS (
        -- The repair knows by its row that a file is there, and removes both.
        UPDATE image_inventory i SET work_id = NULL FROM unknown u WHERE i.work_id = u.work_id
    )
    DELETE FROM works w USING unknown u WHERE w.work_id = u.work_id RETURNING w.work_id
$$;

-- It runs with its owner's rights, so nobody else may choose what the names in it mean, nor who calls it.
DO $do$ BEGIN
    EXECUTE format(
        'ALTER FUNCTION remove_unknown_works(text, bigint[]) SET search_path TO %I, pg_temp', current_schema()
    );
END $do$;
REVOKE ALL ON FUNCTION remove_unknown_works(text, bigint[]) FROM PUBLIC;

COMMENT ON FUNCTION remove_unknown_works(text, bigint[]) IS
    'Removes those of the works that a run has claimed, that the pipeline made, and of which nothing was ever written; '
    'returns which. Thus an id that TMDB does not know leaves no row, and the pipeline''s role needs no DELETE on works.';
