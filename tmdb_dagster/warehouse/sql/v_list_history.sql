-- A list that was fetched less deep, or with a page missing, says nothing of the movies that it lacks.
CREATE OR REPLACE VIEW v_list_history WITH (security_invoker = true) AS
WITH snapshots AS (
    SELECT source, run_id, fetched_at, depth,
        lag(run_id) OVER list AS previous_run_id,
        lag(depth) OVER list AS previous_depth,
        lag(fetched_at) OVER list AS previous_fetched_at
    FROM (
        SELECT source, run_id, max(fetched_at) AS fetched_at,
            CASE WHEN count(DISTINCT page) = max(page) THEN max(rank) ELSE 0 END AS depth
        FROM list_snapshots
        GROUP BY source, run_id
    ) AS s
    WINDOW list AS (PARTITION BY source ORDER BY fetched_at, run_id)
)
SELECT
    s.source,
    s.fetched_at,
    s.run_id,
    m.tmdb_id,
    m.title,
    m.rank,
    m.previous_rank,
    m.previous_rank - m.rank AS places,
    CASE
        WHEN m.previous_rank > m.rank THEN 'rose'
        WHEN m.previous_rank < m.rank THEN 'fell'
        WHEN m.previous_rank = m.rank THEN 'same'
        WHEN m.rank <= s.previous_depth THEN 'entered'
        WHEN m.previous_rank <= s.depth THEN 'left'
    END AS movement,
    m.popularity,
    s.previous_fetched_at
FROM snapshots s, LATERAL (
    SELECT tmdb_id, coalesce(e.title, b.title) AS title, e.rank, b.rank AS previous_rank, e.popularity
    FROM (
        SELECT DISTINCT ON (tmdb_id) tmdb_id, title, rank, popularity FROM list_snapshots
        WHERE run_id = s.run_id AND source = s.source ORDER BY tmdb_id, rank
    ) AS e FULL JOIN (
        SELECT DISTINCT ON (tmdb_id) tmdb_id, title, rank FROM list_snapshots
        WHERE run_id = s.previous_run_id AND source = s.source ORDER BY tmdb_id, rank
    ) AS b USING (tmdb_id)
) AS m
WHERE m.rank IS NOT NULL OR m.previous_rank <= s.depth;

COMMENT ON VIEW v_list_history IS
    'Every snapshot of TMDB''s lists with each movie''s place in it and in the one before.';
COMMENT ON COLUMN v_list_history.source IS 'popular, now_playing or trending.';
COMMENT ON COLUMN v_list_history.fetched_at IS 'When the snapshot was fetched.';
COMMENT ON COLUMN v_list_history.run_id IS 'Dagster run that fetched it.';
COMMENT ON COLUMN v_list_history.tmdb_id IS 'TMDB''s id of the movie.';
COMMENT ON COLUMN v_list_history.title IS 'Title.';
COMMENT ON COLUMN v_list_history.rank IS 'Place in the list, from 1; NULL where it left.';
COMMENT ON COLUMN v_list_history.previous_rank IS 'Place in the snapshot before; NULL where it was not in it.';
COMMENT ON COLUMN v_list_history.places IS 'Places that it rose (or, below 0, fell); NULL where it entered or left.';
COMMENT ON COLUMN v_list_history.movement IS
    'entered, left, rose, fell or same; NULL where the two snapshots cannot tell.';
COMMENT ON COLUMN v_list_history.popularity IS 'TMDB''s popularity figure.';
COMMENT ON COLUMN v_list_history.previous_fetched_at IS 'When the snapshot before was fetched; NULL for the first.';
