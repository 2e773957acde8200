"""What many works lack is counted by day of release before the tiers are looked up: v_catalogue_health.sql."""

from __future__ import annotations

revision = "0119"
down_revision = "0118"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The view is made anew with the functions and views."""


def downgrade() -> None:
    """`migrate` of the older version makes its own."""
