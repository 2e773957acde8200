"""Each call is logged with its endpoint's pattern, which views would have to work out for millions of calls."""

from __future__ import annotations

from alembic import op

revision = "0105"
down_revision = "0104"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE tmdb_api_logs ADD COLUMN endpoint_pattern text;
        COMMENT ON COLUMN tmdb_api_logs.endpoint_pattern IS
            'endpoint with {id} for ids; NULL in rows of before it was noted.';
    """)


def downgrade() -> None:
    op.execute("DROP VIEW v_api_calls_by_endpoint, v_api_errors")  # `migrate` of the older version makes its own
    op.execute("DROP INDEX works_unfinished_idx")
    op.execute("ALTER TABLE tmdb_api_logs DROP COLUMN endpoint_pattern")
