"""Readers search and follow the cards: v_cards.sql, title_index.py, an index of the cards by time."""

from __future__ import annotations

from alembic import op

revision = "0113"
down_revision = "0112"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        COMMENT ON COLUMN work_cards_cache.computed_at IS
            'When the card last changed, or its movie, which was gone, came back.'
    """)


def downgrade() -> None:
    """The extension and its schema stay: others may use them by now."""
    op.execute("DROP VIEW IF EXISTS v_cards")
    op.execute("DROP INDEX IF EXISTS work_cards_cache_computed_at_idx, works_titles_idx")
