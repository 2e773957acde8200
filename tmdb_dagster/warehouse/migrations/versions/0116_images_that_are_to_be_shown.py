"""work_images says so where a movie has an image before it is written."""

from __future__ import annotations

from alembic import op

revision = "0116"
down_revision = "0115"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        COMMENT ON TABLE work_images IS 'Which images a movie shows, or is to show once it is written.';
        COMMENT ON COLUMN work_images.sha256 IS
            'SHA-256 of the file that the movie''s rows show; NULL: they show TMDB''s, or none yet.';
    """)


def downgrade() -> None:
    op.execute("""
        COMMENT ON TABLE work_images IS 'Which images a movie shows.';
        COMMENT ON COLUMN work_images.sha256 IS
            'SHA-256 of the file that the movie''s rows show; NULL: they show TMDB''s.';
    """)
