"""Rehosted images."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "image_inventory",
        sa.Column(
            "key", sa.Text(collation="C"), nullable=False, comment="Name of the file, such as posters/7_large.jpg."
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="poster, backdrop, trailer, cast or still."),
        sa.Column(
            "work_id", sa.BigInteger(), nullable=True, comment="The movie; NULL for cast photos, which movies share."
        ),
        sa.Column("person_id", sa.Text(), nullable=True, comment="TMDB's id of the person on a cast photo."),
        sa.Column(
            "source_path", sa.Text(), nullable=False, comment="TMDB's file path, or youtube: and the video's key."
        ),
        sa.Column("source_size", sa.Text(), nullable=False, comment="Size asked for, such as w342."),
        sa.Column(
            "source_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When TMDB's answer that names the source was fetched; an older one changes nothing.",
        ),
        sa.Column(
            "status",
            sa.Text(),
            server_default=sa.text("'pending'"),
            nullable=False,
            comment="pending (not tried yet), stored, failed (tried again at next_attempt_at) or gave_up.",
        ),
        sa.Column(
            "store", sa.Text(), nullable=True, comment="Where the file is: a folder, or a bucket at an endpoint."
        ),
        sa.Column("bytes", sa.Integer(), nullable=True, comment="Size of the file."),
        sa.Column("width", sa.Integer(), nullable=True, comment="Pixels."),
        sa.Column("height", sa.Integer(), nullable=True, comment="Pixels."),
        sa.Column("sha256", sa.Text(), nullable=True, comment="SHA-256 of the file."),
        sa.Column(
            "attempts",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Failed tries since the last success.",
        ),
        sa.Column("last_error", sa.Text(), nullable=True, comment="Why the last try failed; NULL after a success."),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it is tried again; NULL: nothing to try.",
        ),
        sa.Column(
            "checked_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was last stored, tried or found missing.",
        ),
        sa.Column(
            "claimed_by", sa.Text(), nullable=True, comment="Run that is fetching it; counts while its lease lives."
        ),
        sa.ForeignKeyConstraint(
            ["work_id"], ["works.work_id"], name=op.f("image_inventory_work_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("image_inventory_pkey")),
        comment="Every image that the catalogue wants to have, and whether it has it.",
    )
    op.create_index(
        "image_inventory_missing_idx",
        "image_inventory",
        ["key"],
        unique=False,
        postgresql_where=sa.text("status <> 'stored'"),
    )
    op.create_index(op.f("image_inventory_work_id_idx"), "image_inventory", ["work_id"], unique=False)
    op.create_table(
        "work_images",
        sa.Column("work_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="The movie."),
        sa.Column("key", sa.Text(collation="C"), nullable=False, comment="The image."),
        sa.Column(
            "rehosted", sa.Boolean(), nullable=False, comment="Whether the movie's rows show our file; if not, TMDB's."
        ),
        sa.ForeignKeyConstraint(
            ["key"], ["image_inventory.key"], name=op.f("work_images_key_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["work_id"], ["works.work_id"], name=op.f("work_images_work_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("work_id", "key", name=op.f("work_images_pkey")),
        comment="Which images a movie shows.",
    )
    op.create_index(
        "work_images_behind_idx", "work_images", ["key"], unique=False, postgresql_where=sa.text("NOT rehosted")
    )
    op.create_index(op.f("work_images_key_idx"), "work_images", ["key"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("work_images_key_idx"), table_name="work_images")
    op.drop_index("work_images_behind_idx", table_name="work_images", postgresql_where=sa.text("NOT rehosted"))
    op.drop_table("work_images")
    op.drop_index(op.f("image_inventory_work_id_idx"), table_name="image_inventory")
    op.drop_index(
        "image_inventory_missing_idx", table_name="image_inventory", postgresql_where=sa.text("status <> 'stored'")
    )
    op.drop_table("image_inventory")
