"""Readers ask for movies by request_movie, and works say how they came."""

from __future__ import annotations

from alembic import op

revision = "0104"
down_revision = "0103"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE works ADD COLUMN added_by text
            CONSTRAINT works_added_by_check CHECK (added_by IN ('discovery', 'request', 'operator'));
        COMMENT ON COLUMN works.added_by IS
            'How the row came: discovery, request (by request_movie) or operator; NULL: it was there before.';
        COMMENT ON COLUMN works.request_count IS 'Calls of request_movie that asked for it.';
        CREATE TABLE request_limits (
            only_row boolean DEFAULT true NOT NULL,
            per_day integer DEFAULT 200 NOT NULL,
            per_person integer DEFAULT 20 NOT NULL,
            waiting integer DEFAULT 50 NOT NULL,
            CONSTRAINT request_limits_pkey PRIMARY KEY (only_row),
            CONSTRAINT request_limits_only_row_check CHECK (only_row),
            CONSTRAINT request_limits_per_day_check CHECK (per_day >= 0),
            CONSTRAINT request_limits_per_person_check CHECK (per_person >= 0),
            CONSTRAINT request_limits_waiting_check CHECK (waiting >= 0)
        );
        COMMENT ON TABLE request_limits IS
            'How much readers may ask for by request_movie. The owner alone may change it.';
        COMMENT ON COLUMN request_limits.only_row IS
            'Always true: there is one row, made by the first request or by the owner.';
        COMMENT ON COLUMN request_limits.per_day IS 'Movies that all readers together may ask for in a day (UTC).';
        COMMENT ON COLUMN request_limits.per_person IS 'Movies that one signed-in person may ask for in a day (UTC).';
        COMMENT ON COLUMN request_limits.waiting IS 'Requests that may wait in the queue at once.';
        CREATE TABLE request_counts (
            day date NOT NULL,
            person text NOT NULL,
            requests integer NOT NULL,
            CONSTRAINT request_counts_pkey PRIMARY KEY (day, person)
        );
        COMMENT ON TABLE request_counts IS
            'How much was asked for by request_movie; a day''s rows go when it is over.';
        COMMENT ON COLUMN request_counts.day IS 'Day, in UTC.';
        COMMENT ON COLUMN request_counts.person IS 'The JWT''s sub; '''' for all readers together.';
        COMMENT ON COLUMN request_counts.requests IS 'Movies asked for and queued.';
        CREATE TABLE refused_requests (
            tmdb_id text NOT NULL,
            reason text NOT NULL,
            refused_at timestamptz NOT NULL,
            CONSTRAINT refused_requests_pkey PRIMARY KEY (tmdb_id)
        );
        COMMENT ON TABLE refused_requests IS 'Movies that were asked for and did not come into the catalogue.';
        COMMENT ON COLUMN refused_requests.tmdb_id IS 'TMDB''s id of the movie.';
        COMMENT ON COLUMN refused_requests.reason IS 'Why it did not come into the catalogue.';
        COMMENT ON COLUMN refused_requests.refused_at IS
            'When TMDB was asked; for a week it is not asked again for a request.';
    """)


def downgrade() -> None:
    op.execute("DROP FUNCTION request_movie(bigint), remove_unknown_works(text, bigint[])")
    op.execute("DROP TABLE refused_requests, request_counts, request_limits")
    op.execute("ALTER TABLE works DROP COLUMN added_by")
