"""Indexes hold what status counts of each work and stored image: v_catalogue_health.sql, v_image_coverage.sql."""

from __future__ import annotations

from alembic import op

revision = "0118"
down_revision = "0117"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What walked along it walks along works_tiers_idx."""
    op.execute("DROP INDEX IF EXISTS works_release_date_last_refreshed_at_idx")


def downgrade() -> None:
    op.execute("""
        DROP INDEX IF EXISTS works_tiers_idx, image_inventory_stored_idx;
        CREATE INDEX works_release_date_last_refreshed_at_idx ON works (release_date DESC, last_refreshed_at);
    """)
