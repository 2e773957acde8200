"""Status, views and checks of a large catalogue read indexes: v_catalogue_health.sql, tables/catalogue.py."""

from __future__ import annotations

from alembic import op

revision = "0107"
down_revision = "0106"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What walked along it walks along works_release_date_last_refreshed_at_idx."""
    op.execute("DROP INDEX IF EXISTS works_release_date_idx")


def downgrade() -> None:
    op.execute("""
        DROP INDEX works_release_date_last_refreshed_at_idx, works_gone_idx, works_missing_parts_idx,
            works_meta_without_poster_idx;
        CREATE INDEX works_release_date_idx ON works (release_date);
    """)
