"""The rehosted images: one row a file, and which movies show it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, text

from tmdb_dagster.warehouse.tables.metadata import metadata, timestamp, work_id

image_inventory = Table(
    "image_inventory",
    metadata,
    Column("key", Text(collation="C"), primary_key=True, comment="Name of the file, such as posters/7_large.jpg."),
    Column(
        "kind",
        Text,
        CheckConstraint("kind IN ('poster', 'backdrop', 'trailer', 'cast', 'still')", name="kind"),
        nullable=False,
        comment="poster, backdrop, trailer, cast or still.",
    ),
    Column(
        "work_id",
        BigInteger,
        ForeignKey("works.work_id", ondelete="CASCADE"),
        comment="The movie; NULL for cast photos, which movies share.",
    ),
    Column("person_id", Text, comment="TMDB's id of the person on a cast photo."),
    Column("source_path", Text, nullable=False, comment="TMDB's file path, or youtube: and the video's key."),
    Column("source_size", Text, nullable=False, comment="Size asked for, such as w342."),
    timestamp(
        "source_at",
        "When TMDB's answer that names the source was fetched; an older one changes nothing.",
        required=True,
    ),
    Column(
        "status",
        Text,
        CheckConstraint("status IN ('pending', 'stored', 'failed', 'gave_up')", name="status"),
        nullable=False,
        server_default=text("'pending'"),
        comment="pending (not tried yet), stored, failed (tried again at next_attempt_at) or gave_up.",
    ),
    Column("store", Text, comment="Where the file is: a folder, or a bucket at an endpoint."),
    Column("bytes", Integer, comment="Size of the file."),
    Column("width", Integer, comment="Pixels."),
    Column("height", Integer, comment="Pixels."),
    Column("sha256", Text, comment="SHA-256 of the file."),
    Column(
        "replaced",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="Whether the file once had other content: then movies may still show that.",
    ),
    Column(
        "attempts", Integer, nullable=False, server_default=text("0"), comment="Failed tries since the last success."
    ),
    Column("last_error", Text, comment="Why the last try failed; NULL after a success."),
    timestamp("next_attempt_at", "When it is tried again; NULL: nothing to try."),
    timestamp("checked_at", "When it was last stored, tried or found missing."),
    Column("claimed_by", Text, comment="Run that is fetching it; counts while its lease lives."),
    Index(None, "work_id"),
    Index("image_inventory_replaced_idx", "key", postgresql_where=text("replaced")),
    Index("image_inventory_missing_idx", "key", postgresql_where=text("status <> 'stored'")),
    Index(
        "image_inventory_stored_idx", "kind", postgresql_include=["bytes"], postgresql_where=text("status = 'stored'")
    ),
    comment="Every image that the catalogue wants to have, and whether it has it.",
)

work_images = Table(
    "work_images",
    metadata,
    work_id("The movie.", primary_key=True),
    Column(
        "key",
        Text(collation="C"),
        ForeignKey("image_inventory.key", ondelete="CASCADE"),
        primary_key=True,
        comment="The image.",
    ),
    Column(
        "sha256", Text, comment="SHA-256 of the file that the movie's rows show; NULL: they show TMDB's, or none yet."
    ),
    Index(None, "key"),
    Index("work_images_at_tmdb_idx", "key", postgresql_where=text("sha256 IS NULL")),
    comment="Which images a movie shows, or is to show once it is written.",
)
