CREATE OR REPLACE FUNCTION oldest_revision_served() RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$SELECT '0100'$$;

COMMENT ON FUNCTION oldest_revision_served() IS
    'The newest revision of the oldest version of the program that may run on this database: that of the release before.';
