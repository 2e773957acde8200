-- The card is taken apart once a row: each `payload -> ...` would decompress it again.
CREATE OR REPLACE VIEW v_cards WITH (security_invoker = true) AS
SELECT
    k.work_id,
    w.tmdb_id,
    w.title,
    w.original_title,
    w.year,
    c.genres,
    c.ai_score,
    (c.source_scores #>> '{tmdb,score}')::real AS tmdb_score,
    (c.source_scores #>> '{tmdb,votes}')::integer AS tmdb_votes,
    c.poster ->> 'medium' AS poster,
    k.etag,
    k.computed_at
FROM work_cards_cache k
JOIN works w ON w.work_id = k.work_id AND w.gone_at IS NULL,
    LATERAL jsonb_to_record(k.payload) AS c(genres jsonb, ai_score real, source_scores jsonb, poster jsonb);

COMMENT ON VIEW v_cards IS
    'The cards as an app lists, searches and follows them; docs/app.md shows how. Movies that TMDB knows no more are left out.';
COMMENT ON COLUMN v_cards.work_id IS 'Our id of the movie: work_cards_cache has the whole card.';
COMMENT ON COLUMN v_cards.tmdb_id IS 'TMDB''s id of the movie.';
COMMENT ON COLUMN v_cards.title IS 'Title in the configured language.';
COMMENT ON COLUMN v_cards.original_title IS 'Title in the original language.';
COMMENT ON COLUMN v_cards.year IS 'Year of the release date; NULL where TMDB knows none.';
COMMENT ON COLUMN v_cards.genres IS 'Names of the genres: a JSON array.';
COMMENT ON COLUMN v_cards.ai_score IS 'Score, 0 to 100.';
COMMENT ON COLUMN v_cards.tmdb_score IS 'TMDB''s rating, 0 to 100; 0 without votes.';
COMMENT ON COLUMN v_cards.tmdb_votes IS 'Votes at TMDB.';
COMMENT ON COLUMN v_cards.poster IS 'URL of the poster, 342 pixels wide; NULL where there is none.';
COMMENT ON COLUMN v_cards.etag IS 'Hash of what the card says: another one, another card.';
COMMENT ON COLUMN v_cards.computed_at IS 'When the card last changed, or its movie, which was gone, came back.';
