-- Columns that any writer may change are not enough: what was ever written of a work keeps it.
CREATE OR REPLACE FUNCTION is_unwritten(work works) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT work.last_refreshed_at IS NULL
        AND NOT EXISTS (SELECT FROM works_meta m WHERE m.work_id = work.work_id)
        AND NOT EXISTS (SELECT FROM work_cards_cache k WHERE k.work_id = work.work_id)
        AND NOT EXISTS (SELECT FROM movie_responses r WHERE r.work_id = work.work_id)
$$;

COMMENT ON FUNCTION is_unwritten(works) IS 'Whether nothing was ever written of a work but its row.';
