"""Movies are kept out: by their owner's word, as adult ones, by votes or language; runs say how many and why."""

from __future__ import annotations

from alembic import op

revision = "0106"
down_revision = "0105"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE excluded_movies (
            tmdb_id text NOT NULL,
            reason text,
            since timestamptz DEFAULT now() NOT NULL,
            CONSTRAINT excluded_movies_pkey PRIMARY KEY (tmdb_id),
            CONSTRAINT excluded_movies_tmdb_id_check CHECK (tmdb_id ~ '^[1-9][0-9]{0,9}$')
        );
        COMMENT ON TABLE excluded_movies IS
            'Movies that are kept out: no discovery chooses them, no request brings them, no refresh asks for them.';
        COMMENT ON COLUMN excluded_movies.tmdb_id IS 'TMDB''s id of the movie.';
        COMMENT ON COLUMN excluded_movies.reason IS 'Why, for whoever reads the table.';
        COMMENT ON COLUMN excluded_movies.since IS 'Since when.';
        ALTER TABLE works ADD COLUMN adult_since timestamptz;
        COMMENT ON COLUMN works.adult_since IS
            'Since when TMDB calls it adult or softcore; NULL: it does not, or INGEST_INCLUDE_ADULT admits it.';
        ALTER TABLE list_snapshots ADD COLUMN adult boolean, ADD COLUMN original_language text;
        COMMENT ON COLUMN list_snapshots.adult IS 'Whether TMDB calls it adult or softcore.';
        COMMENT ON COLUMN list_snapshots.original_language IS 'ISO 639-1 code of the original language.';
        ALTER TABLE ingest_batches ADD COLUMN exclusions jsonb;
        COMMENT ON COLUMN ingest_batches.exclusions IS 'How many of these were kept out, by reason.';
        ALTER TABLE scheduled_ingestion_log
            ADD COLUMN movies_excluded integer DEFAULT 0 NOT NULL,
            ADD COLUMN exclusions jsonb;
        COMMENT ON COLUMN scheduled_ingestion_log.movies_excluded IS 'Kept out, by the owner or by the settings.';
        COMMENT ON COLUMN scheduled_ingestion_log.exclusions IS 'How many of these for which reason: {"adult": 3}.';
        ALTER TABLE ingest_candidates
            DROP CONSTRAINT ingest_candidates_outcome_check,
            ADD CONSTRAINT ingest_candidates_outcome_check
                CHECK (outcome IN ('ingested', 'skipped', 'excluded', 'failed'));
        COMMENT ON COLUMN ingest_candidates.outcome IS
            'ingested, skipped (another run was first), excluded or failed; NULL: still to do.';
        COMMENT ON COLUMN ingest_candidates.message IS 'Title (Year), or why it failed or was excluded.';
    """)


def downgrade() -> None:
    op.execute("DROP VIEW IF EXISTS v_problems, v_run_history")  # `migrate` of the older version makes its own
    op.execute("DROP TABLE excluded_movies")
    op.execute("ALTER TABLE works DROP COLUMN adult_since")
    op.execute("ALTER TABLE list_snapshots DROP COLUMN adult, DROP COLUMN original_language")
    op.execute("ALTER TABLE ingest_batches DROP COLUMN exclusions")
    op.execute("ALTER TABLE scheduled_ingestion_log DROP COLUMN movies_excluded, DROP COLUMN exclusions")
