-- All works are counted along one index that holds what is counted of each, tier by tier; what is rare comes from lists
-- that indexes give. What movies lack is joined on unique columns, so that whoever does not ask for it has none of it
-- worked out. ORDER BY ... OFFSET 0: two tables are merged along their indexes; else the planner hashes one of them.
CREATE OR REPLACE VIEW v_catalogue_health WITH (security_invoker = true) AS
WITH tiers AS MATERIALIZED (
    SELECT t.*,
        now() - make_interval(days => t.refresh_days) AS stale_from,
        now() + interval '1 day' AS wrong_after,
        now() - interval '20 hours' AS asked_again_from,
        now() - interval '6 months' AS six_months_ago
    FROM (SELECT (now() AT TIME ZONE 'utc')::date AS today) AS d, LATERAL (
        SELECT age_tier, refresh_days, released_from, least(released_to, d.today) AS released_to FROM age_tiers()
        UNION ALL
        SELECT 'unreleased' AS age_tier, refresh_days, d.today + 1, released_to
        FROM age_tiers() WHERE released_to = 'infinity'
        UNION ALL
        SELECT 'unknown' AS age_tier, refresh_days, NULL AS released_from, NULL AS released_to
        FROM age_tiers() WHERE released_from = '-infinity'
    ) AS t
), graded AS NOT MATERIALIZED (
    SELECT w.work_id, w.gone_at, coalesce(w.ingestion_status, 'pending') AS status, t.age_tier,
        w.last_refreshed_at > t.stale_from AND w.last_refreshed_at <= t.wrong_after AS fresh,
        w.missing_parts IS NOT NULL AND w.incomplete_answers < 5 AND w.last_refreshed_at <= t.asked_again_from
            AS asked_again
    FROM works w JOIN tiers t
        ON w.release_date BETWEEN t.released_from AND t.released_to OR w.release_date IS NULL AND t.age_tier = 'unknown'
), ids AS NOT MATERIALIZED (
    SELECT work_id FROM works ORDER BY work_id OFFSET 0
)
SELECT
    c.status,
    c.age_tier,
    c.refresh_days,
    c.works,
    c.works - c.fresh + coalesce(s.stale, 0) AS stale,
    coalesce(s.gone, 0) AS gone,
    c.never_refreshed,
    c.over_six_months,
    c.oldest_refresh_at,
    coalesce(l.without_meta, 0) AS without_meta,
    coalesce(l.without_card, 0) AS without_card,
    coalesce(l.without_rating, 0) AS without_rating,
    coalesce(l.without_poster, 0) AS without_poster,
    coalesce(l.images_missing, 0) AS images_missing
FROM (
    SELECT t.age_tier, t.refresh_days, g.*
    FROM tiers t, LATERAL (
        SELECT coalesce(w.ingestion_status, 'pending') AS status,
            count(*) AS works,
            count(*) FILTER (WHERE w.last_refreshed_at > t.stale_from AND w.last_refreshed_at <= t.wrong_after)
                AS fresh,
            count(*) FILTER (WHERE w.last_refreshed_at IS NULL) AS never_refreshed,
            count(*) FILTER (WHERE w.last_refreshed_at < t.six_months_ago) AS over_six_months,
            min(w.last_refreshed_at) AS oldest_refresh_at
        FROM (
            SELECT ingestion_status, last_refreshed_at FROM works
            WHERE release_date BETWEEN t.released_from AND t.released_to
            UNION ALL
            SELECT ingestion_status, last_refreshed_at FROM works WHERE release_date IS NULL AND t.age_tier = 'unknown'
        ) AS w
        GROUP BY 1
    ) AS g
) AS c
LEFT JOIN (
    SELECT status, age_tier, count(*) FILTER (WHERE is_gone) AS gone, count(*) FILTER (WHERE NOT is_gone) AS stale
    FROM (
        SELECT status, age_tier, true AS is_gone FROM graded WHERE gone_at IS NOT NULL
        UNION ALL
        SELECT status, age_tier, false FROM graded WHERE fresh AND asked_again
        UNION ALL
        SELECT status, age_tier, false
        FROM (
            SELECT work_id FROM works_meta WHERE coalesce(schema_version, 0) < current_schema_version()
            UNION
            SELECT work_id FROM work_cards_cache WHERE NOT payload ? 'attribution'
        ) AS outdated JOIN graded USING (work_id)
        WHERE fresh AND NOT asked_again
    ) AS g
    GROUP BY status, age_tier
) AS s USING (status, age_tier)
LEFT JOIN (
    SELECT g.status, t.age_tier,
        sum(g.works) FILTER (WHERE g.lack = 'meta')::bigint AS without_meta,
        sum(g.works) FILTER (WHERE g.lack = 'card')::bigint AS without_card,
        sum(g.works) FILTER (WHERE g.lack = 'rating')::bigint AS without_rating,
        sum(g.works) FILTER (WHERE g.lack IN ('meta', 'poster'))::bigint AS without_poster,
        sum(g.works) FILTER (WHERE g.lack = 'image')::bigint AS images_missing
    FROM (
        SELECT coalesce(w.ingestion_status, 'pending') AS status, w.release_date, lacking.lack, count(*) AS works
        FROM (
            SELECT work_id, 'meta' AS lack FROM ids i WHERE NOT EXISTS (
                SELECT FROM (SELECT work_id FROM works_meta ORDER BY work_id OFFSET 0) AS m
                WHERE m.work_id = i.work_id
            )
            UNION ALL
            SELECT work_id, 'card' AS lack FROM ids i WHERE NOT EXISTS (
                SELECT FROM (SELECT work_id FROM work_cards_cache ORDER BY work_id OFFSET 0) AS k
                WHERE k.work_id = i.work_id
            )
            UNION ALL
            SELECT work_id, 'rating' AS lack FROM ids i WHERE NOT EXISTS (
                SELECT FROM (
                    SELECT work_id FROM rating_sources WHERE source_name = 'TMDB' ORDER BY work_id OFFSET 0
                ) AS r
                WHERE r.work_id = i.work_id
            )
            UNION ALL
            SELECT work_id, 'poster' AS lack FROM works_meta WHERE poster_url_medium IS NULL
            UNION ALL
            SELECT DISTINCT work_id, 'image' AS lack FROM work_images WHERE sha256 IS NULL
        ) AS lacking JOIN works w USING (work_id)
        GROUP BY 1, 2, 3
    ) AS g JOIN tiers t
        ON g.release_date BETWEEN t.released_from AND t.released_to OR g.release_date IS NULL AND t.age_tier = 'unknown'
    GROUP BY g.status, t.age_tier
) AS l USING (status, age_tier);

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
