-- A role for Grafana and for exporters: it reads the views for operators, and no table.
--
-- Run it as the owner of the tables, after every `tmdb-dagster migrate`; it can be repeated. Then give the role a password
-- (in psql: \password tmdb_dagster_grafana).
--
-- The views ask with their reader's rights as `migrate` makes them. From here on they ask with their owner's, so they are
-- closed to everybody else who was let in by default, such as Supabase's anon.
--
-- With DATABASE_SCHEMA set, run `SET search_path TO "<schema>"` first, in the same session.

BEGIN;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tmdb_dagster_grafana') THEN
        CREATE ROLE tmdb_dagster_grafana LOGIN;
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO tmdb_dagster_grafana', current_schema());
    EXECUTE format(
        'ALTER ROLE tmdb_dagster_grafana IN DATABASE %I SET search_path TO %I', current_database(), current_schema()
    );
END $$;

DO $$
DECLARE
    shown text;
    reader text;
BEGIN
    FOREACH shown IN ARRAY ARRAY[
        'v_run_history', 'v_api_calls_by_endpoint', 'v_api_calls_hourly', 'v_api_errors', 'v_queue_status', 'v_movie_calls',
        'v_catalogue_health', 'v_image_coverage', 'v_list_history', 'v_problems'
    ]
    LOOP
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', shown);
        FOR reader IN SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated') LOOP
            EXECUTE format('REVOKE ALL ON %I FROM %I', shown, reader);
        END LOOP;
        EXECUTE format('ALTER VIEW %I SET (security_invoker = false)', shown);
        EXECUTE format('GRANT SELECT ON %I TO tmdb_dagster_grafana', shown);
    END LOOP;
END $$;

COMMIT;
