"""v_catalogue_health beside what the works say one by one."""

from __future__ import annotations

from sqlalchemy import Engine, text

from tmdb_dagster_tests.warehouse.operated import DAY

# Works of all tiers, ages and statuses, of which each lacks something else.
VARIED = f"""
INSERT INTO works (tmdb_id, title, release_date, last_refreshed_at, ingestion_status, gone_at, missing_parts,
    incomplete_answers)
SELECT n::text, 'A', CASE WHEN n % 9 > 0 THEN {DAY} + 10 - (n * 37 % 400) END,
    CASE WHEN n % 11 > 0 THEN now() + interval '2 days' - (n * 7 % 240) * interval '1 day' * (n % 2)
        - (n % 45) * interval '1 day' * (1 - n % 2) END,
    (ARRAY['complete', 'failed', 'ingesting', 'pending'])[n % 5 + 1], CASE WHEN n % 13 = 0 THEN now() END,
    CASE WHEN n % 7 = 0 THEN ARRAY['credits'] END, n % 6
FROM generate_series(1, 2000) AS n;
INSERT INTO works_meta (work_id, schema_version, poster_url_medium)
SELECT work_id, nullif(current_schema_version() - (work_id % 6 = 0)::int, 0), CASE WHEN work_id % 5 > 0 THEN 'p' END
FROM works WHERE last_refreshed_at IS NOT NULL;
INSERT INTO work_cards_cache (work_id, payload)
SELECT work_id, CASE WHEN work_id % 10 > 0 THEN '{{"attribution": 1}}'::jsonb ELSE '{{}}' END
FROM works WHERE work_id % 19 > 0;
INSERT INTO rating_sources (work_id, source_name)
SELECT work_id, source FROM works, (VALUES ('TMDB', 3), ('other', 4)) AS s (source, part) WHERE work_id % part > 0;
INSERT INTO image_inventory (key, kind, work_id, source_path, source_size, source_at)
SELECT work_id || size, 'poster', work_id, '/x', size, now() FROM works, (VALUES ('w92'), ('w342')) AS s (size)
WHERE work_id % 23 = 0;
INSERT INTO work_images SELECT work_id, key FROM image_inventory
"""
FIGURES = (
    "works, stale, gone, never_refreshed, over_six_months, oldest_refresh_at, without_meta, without_card, "
    "without_rating, without_poster, images_missing"
)
ONE_BY_ONE = f"""
SELECT status, age_tier, calculate_staleness_days(max(release_date)), count(*),
    count(*) FILTER (WHERE is_stale(work_id)), count(gone_at), count(*) FILTER (WHERE last_refreshed_at IS NULL),
    count(*) FILTER (WHERE last_refreshed_at < now() - interval '6 months'), min(last_refreshed_at),
    count(*) FILTER (WHERE NOT meta), count(*) FILTER (WHERE NOT card), count(*) FILTER (WHERE NOT rating),
    count(*) FILTER (WHERE NOT poster), count(*) FILTER (WHERE image)
FROM (
    SELECT *, coalesce(ingestion_status, 'pending') AS status,
        CASE WHEN release_date IS NULL THEN 'unknown' WHEN release_date > {DAY} THEN 'unreleased'
            WHEN release_date >= {DAY} - 30 THEN '0-30' WHEN release_date >= {DAY} - 180 THEN '31-180'
            WHEN release_date >= {DAY} - 365 THEN '181-365' ELSE 'over 365' END AS age_tier,
        EXISTS (SELECT FROM works_meta m WHERE m.work_id = w.work_id) AS meta,
        EXISTS (SELECT FROM works_meta m WHERE m.work_id = w.work_id AND poster_url_medium IS NOT NULL) AS poster,
        EXISTS (SELECT FROM work_cards_cache m WHERE m.work_id = w.work_id) AS card,
        EXISTS (SELECT FROM rating_sources m WHERE m.work_id = w.work_id AND source_name = 'TMDB') AS rating,
        EXISTS (SELECT FROM work_images m WHERE m.work_id = w.work_id AND sha256 IS NULL) AS image
    FROM works w
) AS w
GROUP BY status, age_tier ORDER BY status, age_tier
"""


def test_the_health_is_what_the_works_say_one_by_one(engine: Engine) -> None:
    with engine.begin() as connection:  # is one moment
        connection.exec_driver_sql(VARIED.replace("%", "%%"))
        one_by_one = connection.execute(text(ONE_BY_ONE)).all()
        health = connection.execute(
            text(f"SELECT status, age_tier, refresh_days, {FIGURES} FROM v_catalogue_health ORDER BY status, age_tier")
        ).all()

    assert len(one_by_one) == 4 * 6
    assert health == one_by_one
