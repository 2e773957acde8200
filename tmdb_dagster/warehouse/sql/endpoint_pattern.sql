CREATE OR REPLACE FUNCTION endpoint_pattern(endpoint text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(endpoint, '(?<!/)/[0-9]+\y', '/{id}', 'g')
$$;

COMMENT ON FUNCTION endpoint_pattern(text) IS 'An endpoint with {id} for ids, such as /movie/{id}.';
