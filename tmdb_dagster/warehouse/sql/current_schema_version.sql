CREATE OR REPLACE FUNCTION current_schema_version() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT 5';

COMMENT ON FUNCTION current_schema_version() IS
    'Version of the rules that the tables are written by; a work with a lower one is stale.';
