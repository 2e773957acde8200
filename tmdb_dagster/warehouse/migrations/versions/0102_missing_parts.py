"""Works say which parts no answer of TMDB's has had yet."""

from __future__ import annotations

from alembic import op

revision = "0102"
down_revision = "0101"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE works
            ADD COLUMN missing_parts text[],
            ADD COLUMN incomplete_answers integer NOT NULL DEFAULT 0;
        COMMENT ON COLUMN works.missing_parts IS
            'Parts that no answer had yet, such as credits; NULL where none is missing.';
        COMMENT ON COLUMN works.incomplete_answers IS
            'Answers in a row after which parts were missing; below 5 TMDB is asked again within a day.';
        CREATE INDEX works_incomplete_idx ON works (last_refreshed_at)
            WHERE missing_parts IS NOT NULL AND incomplete_answers < 5;
    """)


def downgrade() -> None:
    op.execute("DROP VIEW IF EXISTS v_problems, v_catalogue_health")  # `migrate` of the older version makes its own
    op.execute("ALTER TABLE works DROP COLUMN missing_parts, DROP COLUMN incomplete_answers")
