"""A work that a run is fetching is not queued as stale: queueable_works.sql."""

revision = "0103"
down_revision = "0102"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing but the functions, which every upgrade makes anew."""


def downgrade() -> None:
    """Nothing: `migrate` of the older version makes its own functions."""
