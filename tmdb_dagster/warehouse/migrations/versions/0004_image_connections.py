"""Connections to the image hosts, shared by all runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CONNECTIONS = 20


def upgrade() -> None:
    op.create_table(
        "image_connections",
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False, comment="Number of the connection."),
        sa.Column(
            "claimed_by", sa.Text(), nullable=True, comment="Run that may have it; counts while its lease lives."
        ),
        sa.PrimaryKeyConstraint("slot", name=op.f("image_connections_pkey")),
        comment="The connections to the image hosts that all runs share: one row each, and never more.",
    )
    op.execute(f"INSERT INTO image_connections (slot) SELECT generate_series(1, {CONNECTIONS})")


def downgrade() -> None:
    op.drop_table("image_connections")
