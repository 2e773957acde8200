"""The rate limit knows the limits of all runs that ask, and a clock that was set back."""

from __future__ import annotations

from alembic import op

revision = "0101"
down_revision = "0100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE rate_limits
            ADD COLUMN granted_at timestamptz,
            ADD COLUMN limits jsonb NOT NULL DEFAULT '[]';
        COMMENT ON COLUMN rate_limits.granted_at IS
            'When the last permit was given; a clock that was set back is noticed by it.';
        COMMENT ON COLUMN rate_limits.limits IS
            'The limits of the runs that ask: calls, seconds, and asked_at of the last permit.';
    """)


def downgrade() -> None:
    op.execute("ALTER TABLE rate_limits DROP COLUMN limits, DROP COLUMN granted_at")
