"""One index of the works that lack parts, in the order in which they are asked for again: tables/catalogue.py.

With two of them the planner took the one that knows no order, and read all works beside it.
"""

from __future__ import annotations

from alembic import op

revision = "0111"
down_revision = "0110"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP INDEX IF EXISTS works_incomplete_idx, works_missing_parts_idx")


def downgrade() -> None:
    op.execute("""
        DROP INDEX works_missing_parts_idx;
        CREATE INDEX works_missing_parts_idx ON works (work_id) WHERE missing_parts IS NOT NULL;
        CREATE INDEX works_incomplete_idx ON works (last_refreshed_at)
            WHERE missing_parts IS NOT NULL AND incomplete_answers < 5;
    """)
