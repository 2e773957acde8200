"""What a database that was taken over needs: its old cards are due, and a role without DELETE on works can clean up."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CHECKS = (
    ("works", "ingestion_status", ("pending", "ingesting", "complete", "failed")),
    ("rating_sources", "scale_type", ("0_10", "0_5", "0_100")),
    ("refresh_queue", "status", ("queued", "processing", "completed", "failed")),
    ("ingest_candidates", "outcome", ("ingested", "skipped", "failed")),
    ("catalogue_origin", "origin", ("tmdb", "sandbox")),
    ("image_inventory", "kind", ("poster", "backdrop", "trailer", "cast", "still")),
    ("image_inventory", "status", ("pending", "stored", "failed", "gave_up")),
)

# Each branch is one walk along an index, so that the most urgent works are found without looking at the others.
_BRANCH = """
    (
        SELECT w.work_id, w.tmdb_id, w.title, w.release_date, w.last_refreshed_at,
            {priority} AS priority, '{reason}' AS reason
        FROM {source} WHERE {due}
            AND w.tmdb_id ~ '^[0-9]+$'
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
        _branch(
            80,
            "schema",
            "NOT k.payload ? 'attribution'",
            "k.work_id",
            source="work_cards_cache k JOIN works w USING (work_id)",
        ),
        _tier(60, "recent", None, 30, 2),
        _tier(30, "stale", 31, 180, 7),
        _tier(20, "stale", 181, 365, 14),
        _branch(10, "stale", "w.last_refreshed_at <= now() - interval '30 days'", "w.last_refreshed_at"),
    )
)

FUNCTIONS = f"""
CREATE OR REPLACE FUNCTION is_stale(work_id_input bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT w.last_refreshed_at IS NULL
        OR w.last_refreshed_at <= now() - make_interval(days => calculate_staleness_days(w.release_date))
        OR coalesce(m.schema_version, 0) < current_schema_version()
        OR coalesce(NOT k.payload ? 'attribution', false)
    FROM works w LEFT JOIN works_meta m USING (work_id) LEFT JOIN work_cards_cache k USING (work_id)
    WHERE w.work_id = work_id_input
$$;
COMMENT ON FUNCTION is_stale(bigint) IS
    'Whether a work is due for a refresh, by its age tier, its schema version or a card without attribution; '
    'NULL for an unknown work.';

CREATE OR REPLACE FUNCTION stale_works(limit_count integer)
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
    'The most urgent stale works that are not queued yet: never refreshed, of an old schema version or with a card '
    'without attribution, released within 30 days, then tier by tier; newest releases first, then the longest '
    'unrefreshed.';

CREATE FUNCTION remove_unfinished_works(run_id_input text) RETURNS integer LANGUAGE sql SECURITY DEFINER AS $$
    WITH removed AS (
        DELETE FROM works w WHERE w.work_id IN (
            SELECT c.work_id FROM works c
            WHERE c.ingestion_status = 'ingesting' AND c.claimed_by IS NOT NULL AND c.status_before_claim IS NULL
                AND CASE WHEN run_id_input IS NULL THEN NOT EXISTS (
                    SELECT FROM run_leases l WHERE l.run_id = c.claimed_by AND l.expires_at > clock_timestamp()
                ) ELSE c.claimed_by = run_id_input END
            FOR UPDATE SKIP LOCKED
        ) RETURNING w.work_id
    )
    SELECT count(*)::integer FROM removed
$$;
REVOKE ALL ON FUNCTION remove_unfinished_works(text) FROM PUBLIC;
COMMENT ON FUNCTION remove_unfinished_works(text) IS
    'Removes the works that a run (NULL: those that died) made and did not finish; returns how many. Thus the '
    'pipeline''s role needs no DELETE on works.';
DO $do$ BEGIN
    EXECUTE 'ALTER FUNCTION remove_unfinished_works(text) SET search_path TO '
        || quote_ident(current_schema()) || ', pg_temp';
END $do$;
"""  # noqa: S608 - constants only


def upgrade() -> None:
    for table, column, values in CHECKS:
        listed = ", ".join(f"'{value}'" for value in values)
        name = f"{table}_{column}_check"
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IN ({listed}))")
    op.execute(FUNCTIONS)


def downgrade() -> None:
    # is_stale and stale_works stay as they are: they need nothing that goes.
    op.execute("DROP FUNCTION remove_unfinished_works(text)")
    op.execute("DROP INDEX IF EXISTS work_cards_cache_without_attribution_idx")
    for table, column, _ in CHECKS:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_{column}_check")
