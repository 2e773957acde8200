-- Callers name the parameter, so its name is part of the contract; so are those of the other functions.
CREATE OR REPLACE FUNCTION calculate_staleness_days(release_date date) RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT t.refresh_days FROM age_tiers() t
    WHERE coalesce(release_date, '-infinity') BETWEEN t.released_from AND t.released_to
$$;

COMMENT ON FUNCTION calculate_staleness_days(date) IS
    'Days after which a movie of this release date is refreshed; newer movies sooner.';
