CREATE OR REPLACE FUNCTION failure_reason(message text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(
        regexp_replace(
            regexp_replace(
                endpoint_pattern(regexp_replace(message, '(https?://[^/ ]+)/[^ :]*', '\1/...', 'g')),
                ' \(attempt [0-9]+\)', '', 'g'
            ),
            ': line [0-9]+ column [0-9]+ \(char [0-9]+\)', '', 'g'
        ),
        '[0-9]+ (bytes|more expected)', '\1', 'g'
    )
$$;

COMMENT ON FUNCTION failure_reason(text) IS
    'Why something failed, without the movie''s id, an image''s path, the attempt, and how far a broken answer came.';
