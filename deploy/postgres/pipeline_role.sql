-- A role that can do what the pipeline does, and no more: it reads the catalogue's tables and writes their rows. It
-- cannot create, alter, drop or truncate anything, remove movies, or reach other tables of the database.
--
-- Run it as the owner of the tables, after every `tmdb-dagster migrate`, since a migration may bring new tables; it can
-- be repeated. Then give the role a password (in psql: \password tmdb_dagster_pipeline), and put it into DATABASE_URL.
-- Migrations and `tmdb-dagster purge` stay with the owner.
--
-- With DATABASE_SCHEMA set, run `SET search_path TO "<schema>"` first, in the same session.

BEGIN;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tmdb_dagster_pipeline') THEN
        CREATE ROLE tmdb_dagster_pipeline LOGIN;
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO tmdb_dagster_pipeline', current_schema());
END $$;

GRANT SELECT ON catalogue_version TO tmdb_dagster_pipeline;

-- The logs are only added to, and removed by the job retention.
GRANT SELECT, INSERT, DELETE ON tmdb_api_logs, scheduled_ingestion_log, list_snapshots TO tmdb_dagster_pipeline;

GRANT SELECT, INSERT, UPDATE ON
    works, works_meta, rating_sources, aggregates, work_cards_cache, movie_responses, sync_state, ingest_candidates,
    rate_limits, score_prior, catalogue_origin
TO tmdb_dagster_pipeline;
GRANT SELECT, INSERT, UPDATE, DELETE ON refresh_queue, ingest_batches, refused_requests, excluded_movies TO tmdb_dagster_pipeline;

-- Requests are counted and limited by request_movie, with its owner's rights; old counts are removed by retention.
GRANT SELECT, DELETE ON request_counts TO tmdb_dagster_pipeline;
GRANT SELECT ON request_limits TO tmdb_dagster_pipeline;

-- The views for operators; the report, the checks and `tmdb-dagster status` read most of them.
GRANT SELECT ON
    v_run_history, v_api_calls_by_endpoint, v_api_calls_hourly, v_api_errors, v_queue_status, v_movie_calls,
    v_catalogue_health, v_image_coverage, v_list_history, v_problems
TO tmdb_dagster_pipeline;

-- A refresh replaces the similar movies and the images of a movie, and a run ends its lease.
GRANT SELECT, INSERT, UPDATE, DELETE ON similar_movies, work_images, image_inventory, run_leases TO tmdb_dagster_pipeline;

-- Works that a run began and did not finish, and those that TMDB does not know, go by these functions, which remove none
-- of which anything was ever written.
GRANT EXECUTE ON FUNCTION remove_unfinished_works(text), remove_unknown_works(text, bigint[]) TO tmdb_dagster_pipeline;

-- What TMDB said of works that are gone must go in time, and this function forgets no others.
GRANT EXECUTE ON FUNCTION forget_gone_works(integer) TO tmdb_dagster_pipeline;

-- The sequences that number the rows; and where row level security is on, a policy that lets the role pass.
DO $$
DECLARE
    granted record;
    counter text;
BEGIN
    FOR granted IN
        SELECT c.oid, c.relname, c.relrowsecurity FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
            AND has_table_privilege('tmdb_dagster_pipeline', c.oid, 'SELECT')
    LOOP
        FOR counter IN
            SELECT pg_get_serial_sequence(quote_ident(granted.relname), attname) FROM pg_attribute
            WHERE attrelid = granted.oid AND attnum > 0 AND NOT attisdropped
        LOOP
            IF counter IS NOT NULL THEN
                EXECUTE format('GRANT USAGE ON SEQUENCE %s TO tmdb_dagster_pipeline', counter);
            END IF;
        END LOOP;
        IF granted.relrowsecurity AND NOT EXISTS (
            SELECT FROM pg_policy WHERE polrelid = granted.oid AND polname = 'pipeline'
        ) THEN
            EXECUTE format(
                'CREATE POLICY pipeline ON %I TO tmdb_dagster_pipeline USING (true) WITH CHECK (true)', granted.relname
            );
        END IF;
    END LOOP;
END $$;

COMMIT;
