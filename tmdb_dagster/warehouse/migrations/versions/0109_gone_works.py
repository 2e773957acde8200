"""What TMDB said of works that are gone is forgotten in time: forget_gone_works.sql."""

from __future__ import annotations

from alembic import op

revision = "0109"
down_revision = "0108"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing but the functions, which every upgrade makes anew."""


def downgrade() -> None:
    op.execute("DROP FUNCTION forget_gone_works(integer)")
