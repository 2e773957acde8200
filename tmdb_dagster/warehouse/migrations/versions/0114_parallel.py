"""What only reads lets a query use several processors: the functions of sql/ are PARALLEL SAFE."""

from __future__ import annotations

from alembic import op

revision = "0114"
down_revision = "0113"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The functions themselves are made anew after each migration."""
    op.execute("""
        COMMENT ON COLUMN rate_limits.limits IS
            'The limits of the runs that ask: calls, seconds, margin in seconds, and asked_at of the last permit.'
    """)


def downgrade() -> None:
    op.execute("""
        COMMENT ON COLUMN rate_limits.limits IS
            'The limits of the runs that ask: calls, seconds, and asked_at of the last permit.'
    """)
