CREATE OR REPLACE FUNCTION is_stale(work_id_input bigint) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT w.last_refreshed_at IS NULL
        OR w.last_refreshed_at > now() + interval '1 day' -- by a wrong clock
        OR w.last_refreshed_at <= now() - make_interval(days => t.refresh_days)
        OR w.missing_parts IS NOT NULL AND w.incomplete_answers < 5 AND w.last_refreshed_at <= now() - interval '20 hours'
        OR coalesce(m.schema_version, 0) < current_schema_version()
        OR coalesce(NOT k.payload ? 'attribution', false)
    FROM works w
    JOIN age_tiers() t ON coalesce(w.release_date, '-infinity') BETWEEN t.released_from AND t.released_to
    LEFT JOIN works_meta m USING (work_id)
    LEFT JOIN work_cards_cache k USING (work_id)
    WHERE w.work_id = work_id_input
$$;

COMMENT ON FUNCTION is_stale(bigint) IS
    'Whether a work is due for a refresh, by its age tier, parts that no answer had yet, its schema version or a card '
    'without attribution; NULL for an unknown work.';
