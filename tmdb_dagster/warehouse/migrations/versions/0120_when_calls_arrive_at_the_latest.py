"""rate_limits notes when each call reaches TMDB at the latest, so that no margin is kept with the limits."""

from __future__ import annotations

from alembic import op

revision = "0120"
down_revision = "0119"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        COMMENT ON COLUMN rate_limits.permits IS
            'When the last calls reach TMDB at the latest: after their permit by a margin, or at their answer.';
        COMMENT ON COLUMN rate_limits.limits IS
            'The limits of the runs that ask: calls, seconds, and asked_at of the last permit.';
    """)


def downgrade() -> None:
    op.execute("""
        COMMENT ON COLUMN rate_limits.permits IS 'Moments of the last calls permitted, oldest first.';
        COMMENT ON COLUMN rate_limits.limits IS
            'The limits of the runs that ask: calls, seconds, margin in seconds, and asked_at of the last permit.';
    """)
