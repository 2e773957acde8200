"""Refresh: what is due, in which order, and who is at it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Each branch is one walk along an index, so that the most urgent works are found without looking at the others.
_BRANCH = """
    (
        SELECT w.work_id, w.tmdb_id, w.title, w.release_date, w.last_refreshed_at,
            {priority} AS priority, '{reason}' AS reason
        FROM {source} WHERE {due}
            AND (w.retry_at IS NULL OR w.retry_at <= now())
            AND NOT EXISTS (
                SELECT FROM refresh_queue q WHERE q.work_id = w.work_id AND q.status IN ('queued', 'processing')
            )
        ORDER BY {order} LIMIT limit_count
    )"""
_TODAY = "(now() AT TIME ZONE 'utc')::date"


def _branch(priority: int, reason: str, due: str, order: str, source: str = "works w") -> str:
    return _BRANCH.format(priority=priority, reason=reason, due=due, order=order, source=source)


def _tier(priority: int, reason: str, youngest: int | None, oldest: int, days: int) -> str:
    """Works released `youngest` (None: any number, also in the future) to `oldest` days ago, due after `days`."""
    released = f"w.release_date >= {_TODAY} - {oldest}"
    if youngest is not None:
        released += f" AND w.release_date <= {_TODAY} - {youngest}"
    return _branch(
        priority,
        reason,
        f"{released} AND w.last_refreshed_at <= now() - interval '{days} days'",
        "w.release_date DESC, w.last_refreshed_at",
    )


_BRANCHES = " UNION ALL ".join(
    (
        _branch(80, "new", "w.last_refreshed_at IS NULL", "w.work_id"),
        _branch(
            80,
            "schema",
            "coalesce(m.schema_version, 0) < current_schema_version()",
            "coalesce(m.schema_version, 0), m.work_id",
            source="works_meta m JOIN works w USING (work_id)",
        ),
        _tier(60, "recent", None, 30, 2),
        _tier(30, "stale", 31, 180, 7),
        _tier(20, "stale", 181, 365, 14),
        _branch(10, "stale", "w.last_refreshed_at <= now() - interval '30 days'", "w.last_refreshed_at"),
    )
)

FUNCTIONS = f"""
CREATE FUNCTION stale_works(limit_count integer)
RETURNS TABLE (
    work_id bigint, tmdb_id text, title text, release_date date, last_refreshed_at timestamptz,
    priority integer, reason text
) LANGUAGE sql STABLE AS $$
    SELECT * FROM (
        SELECT DISTINCT ON (b.work_id) * FROM ({_BRANCHES}) AS b ORDER BY b.work_id, b.priority DESC
    ) AS w
    ORDER BY w.priority DESC, w.release_date DESC NULLS LAST, w.last_refreshed_at NULLS FIRST, w.work_id
    LIMIT limit_count
$$;
COMMENT ON FUNCTION stale_works(integer) IS
    'The most urgent stale works that are not queued yet: never refreshed or of an old schema version, released '
    'within 30 days, then tier by tier; newest releases first, then the longest unrefreshed.';

CREATE FUNCTION get_stale_movies(limit_count integer)
RETURNS TABLE (work_id bigint, tmdb_id text, title text, release_date date, last_refreshed_at timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT work_id, tmdb_id, title, release_date, last_refreshed_at FROM stale_works(limit_count)
$$;
COMMENT ON FUNCTION get_stale_movies(integer) IS 'stale_works under the name that older readers call.';
"""  # noqa: S608 - constants only


def upgrade() -> None:
    op.add_column(
        "works",
        sa.Column(
            "failures",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Failed fetches since the last success.",
        ),
    )
    op.add_column(
        "works",
        sa.Column(
            "retry_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="A failed or gone work is not asked for by itself before this moment; NULL otherwise.",
        ),
    )
    op.create_index(
        "works_never_refreshed_idx",
        "works",
        ["work_id"],
        unique=False,
        postgresql_where=sa.text("last_refreshed_at IS NULL"),
    )
    op.create_index(
        "works_meta_schema_version_idx",
        "works_meta",
        [sa.literal_column("coalesce(schema_version, 0)"), "work_id"],
        unique=False,
    )
    for column in (
        sa.Column("reason", sa.Text(), comment="requested, new, schema, recent, changed, retry or stale."),
        sa.Column(
            "due_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            comment="It is not processed before this moment.",
        ),
        sa.Column("claimed_by", sa.Text(), comment="Run that processes it; counts while its lease lives."),
        sa.Column("claimed_at", sa.DateTime(timezone=True), comment="When that run took it."),
        sa.Column("note", sa.Text(), comment="How it was completed, where TMDB had no answer for it."),
    ):
        op.add_column("refresh_queue", column)
    op.alter_column(
        "refresh_queue",
        "queued_at",
        comment="When it was queued; again where it was asked for once more meanwhile.",
        existing_comment="When it was queued.",
    )
    op.execute(FUNCTIONS)


def downgrade() -> None:
    op.execute("DROP FUNCTION get_stale_movies(integer); DROP FUNCTION stale_works(integer)")
    op.alter_column("refresh_queue", "queued_at", comment="When it was queued.")
    for column in ("note", "claimed_at", "claimed_by", "due_at", "reason"):
        op.drop_column("refresh_queue", column)
    op.drop_index("works_meta_schema_version_idx", table_name="works_meta")
    op.drop_index("works_never_refreshed_idx", table_name="works")
    op.drop_column("works", "retry_at")
    op.drop_column("works", "failures")
