"""Runs of one kind are told from those of another: v_run_history.sql."""

from __future__ import annotations

from alembic import op

revision = "0115"
down_revision = "0114"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The log called a drain of the queue a refresh; those of Dagster's runs that drained are not known here."""


def downgrade() -> None:
    op.execute("DROP VIEW IF EXISTS v_problems, v_run_history")  # `migrate` of the older version makes its own
