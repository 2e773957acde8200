"""Works say into which other movie TMDB has merged them."""

from __future__ import annotations

from alembic import op

revision = "0110"
down_revision = "0109"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE works ADD COLUMN merged_into text;
        COMMENT ON COLUMN works.merged_into IS 'TMDB id under which TMDB has a movie that is gone; NULL: not known.';
    """)


def downgrade() -> None:
    op.execute("ALTER TABLE works DROP COLUMN merged_into")
