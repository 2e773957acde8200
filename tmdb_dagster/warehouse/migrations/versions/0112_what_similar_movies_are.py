"""Similar movies say what they are, and movies by which ids others know them: tables/catalogue.py."""

from __future__ import annotations

from alembic import op

revision = "0112"
down_revision = "0111"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE similar_movies ADD COLUMN title text, ADD COLUMN year integer, ADD COLUMN poster_url text;
        ALTER TABLE works_meta ADD COLUMN external_ids jsonb;
        COMMENT ON COLUMN similar_movies.source IS 'Who says so; ours are tmdb and tmdb_recommendation.';
        COMMENT ON COLUMN similar_movies.title IS 'Title of the similar movie; NULL where not said.';
        COMMENT ON COLUMN similar_movies.year IS 'Year of its release date.';
        COMMENT ON COLUMN similar_movies.poster_url IS 'Its poster, 342 pixels wide, at TMDB.';
        COMMENT ON COLUMN works_meta.external_ids IS
            'Ids elsewhere, such as wikidata_id; NULL: TMDB was not asked yet.';
        COMMENT ON COLUMN works_meta.certification IS
            'Certification in TMDB_CERTIFICATION_COUNTRY, such as PG-13.';
    """)


def downgrade() -> None:
    op.execute("""
        DELETE FROM similar_movies WHERE source = 'tmdb_recommendation';
        ALTER TABLE similar_movies DROP COLUMN title, DROP COLUMN year, DROP COLUMN poster_url;
        ALTER TABLE works_meta DROP COLUMN external_ids;
        COMMENT ON COLUMN similar_movies.source IS 'Who says so; the pipeline writes tmdb.';
        COMMENT ON COLUMN works_meta.certification IS 'US certification, such as PG-13.';
    """)
