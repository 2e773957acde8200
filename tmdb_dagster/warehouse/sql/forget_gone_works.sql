CREATE OR REPLACE FUNCTION forget_gone_works(limit_count integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    forgotten constant bigint[] := ARRAY(
        SELECT w.work_id FROM works w
        WHERE w.gone_at <= now() - interval '30 days'
            AND w.last_refreshed_at <= now() - CASE WHEN w.failures >= 3 THEN interval '5 months'
                ELSE interval '170 days' END -- TMDB's terms of use do not wait for three looks
            AND w.ingestion_status IS DISTINCT FROM 'ingesting'
        ORDER BY w.work_id LIMIT limit_count FOR UPDATE SKIP LOCKED
    );
BEGIN
    DELETE FROM work_cards_cache WHERE work_id = ANY(forgotten);
    DELETE FROM works_meta WHERE work_id = ANY(forgotten);
    DELETE FROM movie_responses WHERE work_id = ANY(forgotten);
    DELETE FROM aggregates WHERE work_id = ANY(forgotten);
    DELETE FROM rating_sources WHERE work_id = ANY(forgotten) AND source_name = 'TMDB';
    DELETE FROM similar_movies WHERE work_id = ANY(forgotten) AND source IN ('tmdb', 'tmdb_recommendation');
    DELETE FROM work_images WHERE work_id = ANY(forgotten);
    UPDATE works SET original_title = NULL, year = NULL, release_date = NULL, last_refreshed_at = NULL,
        missing_parts = NULL, incomplete_answers = 0, adult_since = NULL
    WHERE work_id = ANY(forgotten);
    RETURN cardinality(forgotten);
END
$$;

-- It runs with its owner's rights, so nobody else may choose what the names in it mean, nor who calls it.
DO $do$ BEGIN
    EXECUTE format('ALTER FUNCTION forget_gone_works(integer) SET search_path TO %I, pg_temp', current_schema());
END $do$;
REVOKE ALL ON FUNCTION forget_gone_works(integer) FROM PUBLIC;

COMMENT ON FUNCTION forget_gone_works(integer) IS
    'Removes what TMDB said of works that it has not known for a month, five months after their last refresh; their rows '
    'stay, with gone_at and title. Returns of how many. Thus the pipeline''s role needs no DELETE on these tables.';
