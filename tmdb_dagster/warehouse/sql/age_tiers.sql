-- is_stale, calculate_staleness_days, stale_works and v_catalogue_health join this. A work without a release date
-- belongs to the last tier, as if it were released at '-infinity'.
CREATE OR REPLACE FUNCTION age_tiers()
RETURNS TABLE (age_tier text, released_from date, released_to date, refresh_days integer, priority integer)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT tiers.*
    FROM (SELECT (now() AT TIME ZONE 'utc')::date AS today) AS d, LATERAL (VALUES
        ('0-30', d.today - 30, 'infinity'::date, 2, 60),
        ('31-180', d.today - 180, d.today - 31, 7, 30),
        ('181-365', d.today - 365, d.today - 181, 14, 20),
        ('over 365', '-infinity'::date, d.today - 366, 30, 10)
    ) AS tiers
$$;

COMMENT ON FUNCTION age_tiers() IS
    'The tiers of movies by days since their release: first and last release date (those to come are in the first '
    'tier), after how many days such a movie is refreshed, and with which priority.';
