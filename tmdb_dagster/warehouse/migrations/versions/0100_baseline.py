"""The schema of version 0.1.0, which every later version migrates from."""

from __future__ import annotations

from alembic import op

from tmdb_dagster.warehouse.schema import drop_statements

revision = "0100"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Not from here: a database without a revision is made, or taken over, as a whole and at the newest revision."""
    raise RuntimeError(
        "A database without a revision goes to the newest one at once: use `alembic upgrade head`, or for its SQL "
        "`tmdb-dagster migrate --dry-run`."
    )


def downgrade() -> None:
    for statement in drop_statements():
        op.execute(statement)
