-- Each branch is a walk along an index, so that the most urgent works are found without looking at the others: the
-- young tiers by the release date, one walk each, and the last one by the refresh date. >= ANY: of two plain bounds that
-- the planner does not know it expects so few works that it would read the whole tier and sort it.
CREATE OR REPLACE FUNCTION stale_works(limit_count integer)
RETURNS TABLE (
    work_id bigint, tmdb_id text, title text, release_date date, last_refreshed_at timestamptz,
    priority integer, reason text
) LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT * FROM (
        SELECT DISTINCT ON (b.work_id) * FROM (
            (
                SELECT w.*, 80 AS priority, 'new' AS reason
                FROM queueable_works() w WHERE w.last_refreshed_at IS NULL
                ORDER BY w.work_id LIMIT limit_count
            ) UNION ALL (
                SELECT w.*, 80, 'stale'
                FROM queueable_works() w WHERE w.last_refreshed_at > now() + interval '1 day' -- by a wrong clock
                ORDER BY w.last_refreshed_at LIMIT limit_count
            ) UNION ALL (
                SELECT w.*, 80, 'schema'
                FROM works_meta m JOIN queueable_works() w USING (work_id)
                WHERE coalesce(m.schema_version, 0) < current_schema_version()
                ORDER BY coalesce(m.schema_version, 0), m.work_id LIMIT limit_count
            ) UNION ALL (
                SELECT w.*, 80, 'schema'
                FROM work_cards_cache k JOIN queueable_works() w USING (work_id)
                WHERE NOT k.payload ? 'attribution'
                ORDER BY k.work_id LIMIT limit_count
            ) UNION ALL (
                SELECT w.*, 50, 'retry'
                FROM works p JOIN queueable_works() w USING (work_id)
                WHERE p.missing_parts IS NOT NULL AND p.incomplete_answers < 5
                    AND p.last_refreshed_at <= now() - interval '20 hours'
                ORDER BY p.last_refreshed_at LIMIT limit_count
            ) UNION ALL (
                SELECT w.*, t.priority, CASE WHEN t.released_to = 'infinity' THEN 'recent' ELSE 'stale' END
                FROM age_tiers() t, LATERAL (
                    SELECT * FROM queueable_works() w
                    WHERE w.release_date >= ANY (ARRAY[t.released_from]) AND w.release_date <= t.released_to
                        AND w.last_refreshed_at <= now() - make_interval(days => t.refresh_days)
                    ORDER BY w.release_date DESC, w.last_refreshed_at LIMIT limit_count
                ) AS w
                WHERE t.released_from <> '-infinity'
            ) UNION ALL (
                SELECT w.*, t.priority, 'stale'
                FROM age_tiers() t, LATERAL (
                    SELECT * FROM queueable_works() w
                    WHERE w.last_refreshed_at <= now() - make_interval(days => t.refresh_days)
                    ORDER BY w.last_refreshed_at LIMIT limit_count
                ) AS w
                WHERE t.released_from = '-infinity'
            )
        ) AS b ORDER BY b.work_id, b.priority DESC
    ) AS w
    ORDER BY w.priority DESC, w.release_date DESC NULLS LAST, w.last_refreshed_at NULLS FIRST, w.work_id
    LIMIT limit_count
$$;

COMMENT ON FUNCTION stale_works(integer) IS
    'The most urgent stale works that are not queued yet: never refreshed, of an old schema version or with a card '
    'without attribution, released within 30 days, with parts that no answer had yet, then tier by tier; newest releases first, then the longest '
    'unrefreshed.';
