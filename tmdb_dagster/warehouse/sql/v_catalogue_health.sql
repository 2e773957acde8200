-- Each join is on a unique key and serves columns of its own, and what is rare is a list that an index gives: so whoever
-- asks for some of the columns has only these worked out, and no row of works_meta or of a card is read.
CREATE OR REPLACE VIEW v_catalogue_health WITH (security_invoker = true) AS
SELECT
    w.status,
    w.age_tier,
    w.refresh_days,
    count(*) AS works,
    count(*) FILTER (
        WHERE w.last_refreshed_at IS NULL
            OR w.last_refreshed_at > now() + interval '1 day'
            OR w.last_refreshed_at <= now() - make_interval(days => w.refresh_days)
            OR w.missing_parts IS NOT NULL AND w.incomplete_answers < 5
                AND w.last_refreshed_at <= now() - interval '20 hours'
            OR w.work_id IN (
                SELECT work_id FROM works_meta WHERE coalesce(schema_version, 0) < current_schema_version()
            )
            OR w.work_id IN (SELECT work_id FROM work_cards_cache WHERE NOT payload ? 'attribution')
    ) AS stale,
    count(w.gone_at) AS gone,
    count(*) FILTER (WHERE w.last_refreshed_at IS NULL) AS never_refreshed,
    count(*) FILTER (WHERE w.last_refreshed_at < now() - interval '6 months') AS over_six_months,
    min(w.last_refreshed_at) AS oldest_refresh_at,
    count(*) - count(m.work_id) AS without_meta,
    count(*) - count(k.work_id) AS without_card,
    count(*) - count(r.work_id) AS without_rating,
    count(*) FILTER (
        WHERE m.work_id IS NULL OR w.work_id IN (SELECT work_id FROM works_meta WHERE poster_url_medium IS NULL)
    ) AS without_poster,
    count(*) FILTER (
        WHERE w.work_id IN (SELECT work_id FROM work_images WHERE sha256 IS NULL)
    ) AS images_missing
FROM (
    SELECT work_id, last_refreshed_at, gone_at, missing_parts, incomplete_answers,
        coalesce(ingestion_status, 'pending') AS status, t.refresh_days,
        CASE
            WHEN release_date IS NULL THEN 'unknown'
            WHEN release_date > (now() AT TIME ZONE 'utc')::date THEN 'unreleased'
            ELSE t.age_tier
        END AS age_tier
    FROM works
    JOIN age_tiers() t ON coalesce(release_date, '-infinity') BETWEEN t.released_from AND t.released_to
) AS w
LEFT JOIN works_meta m USING (work_id)
LEFT JOIN work_cards_cache k USING (work_id)
LEFT JOIN rating_sources r ON r.work_id = w.work_id AND r.source_name = 'TMDB'
GROUP BY w.status, w.age_tier, w.refresh_days;

COMMENT ON VIEW v_catalogue_health IS
    'The catalogue by status and age of its movies: how many, how fresh, and what they lack.';
COMMENT ON COLUMN v_catalogue_health.status IS 'pending, ingesting, complete or failed.';
COMMENT ON COLUMN v_catalogue_health.age_tier IS
    'Days since the release: unreleased, 0-30, 31-180, 181-365, over 365 or unknown.';
COMMENT ON COLUMN v_catalogue_health.refresh_days IS 'Days after which a movie of this tier is stale.';
COMMENT ON COLUMN v_catalogue_health.works IS 'Number of movies.';
COMMENT ON COLUMN v_catalogue_health.stale IS 'Of these, due for a refresh, as is_stale says.';
COMMENT ON COLUMN v_catalogue_health.gone IS 'TMDB knows them no more.';
COMMENT ON COLUMN v_catalogue_health.never_refreshed IS 'Never fetched.';
COMMENT ON COLUMN v_catalogue_health.over_six_months IS
    'Last refreshed more than six months ago, which TMDB''s terms of use do not allow.';
COMMENT ON COLUMN v_catalogue_health.oldest_refresh_at IS 'The longest unrefreshed.';
COMMENT ON COLUMN v_catalogue_health.without_meta IS 'Without a row in works_meta.';
COMMENT ON COLUMN v_catalogue_health.without_card IS 'Without a row in work_cards_cache.';
COMMENT ON COLUMN v_catalogue_health.without_rating IS 'Without TMDB''s rating in rating_sources.';
COMMENT ON COLUMN v_catalogue_health.without_poster IS 'Without a poster.';
COMMENT ON COLUMN v_catalogue_health.images_missing IS
    'Movies that show at least one image from TMDB instead of our store.';
