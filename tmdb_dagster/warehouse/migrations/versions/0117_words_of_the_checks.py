"""What the checks say agrees with the numbers in it: checks/upkeep.py, checks/calls.py."""

from __future__ import annotations

from alembic import op

revision = "0117"
down_revision = "0116"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The view v_problems is made anew with the functions and views."""


def downgrade() -> None:
    op.execute("DROP VIEW IF EXISTS v_problems")  # `migrate` of the older version makes its own
