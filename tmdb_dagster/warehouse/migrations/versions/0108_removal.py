"""The check no_adult_works says how a movie is removed: v_problems."""

revision = "0108"
down_revision = "0107"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing but the view, which every upgrade makes anew."""


def downgrade() -> None:
    """Nothing: `migrate` of the older version makes its own view."""
