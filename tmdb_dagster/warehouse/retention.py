"""Removes what is too old to be of use, in short transactions; what is open, or a live run needs, stays."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from tmdb_dagster.warehouse.transaction import run_transaction

BATCH = 5000
"""Rows that one transaction removes."""


@dataclass(frozen=True)
class _Rule:
    """Which rows of a table are finished, and when they were.

    `final`: rows are never written again, so that they need no lock, which the pipeline's role may not take on them.
    """

    table: str
    finished_at: str
    where: str = "true"
    final: bool = False


LOGS = (
    _Rule("tmdb_api_logs", "created_at", final=True),
    _Rule("refresh_queue", "coalesce(processed_at, queued_at)", "status IN ('completed', 'failed')"),
    _Rule("ingest_batches", "closed_at"),
)
HISTORY = (
    _Rule("scheduled_ingestion_log", "created_at", final=True),
    _Rule("list_snapshots", "fetched_at", final=True),
)
_SOON = (
    (_Rule("run_leases", "expires_at"), 1),
    (_Rule("request_counts", "day::timestamp AT TIME ZONE 'UTC'", final=True), 1),
    (_Rule("refused_requests", "refused_at"), 7),
)
"""What is of use for some days alone, and for how many."""


def remove_old_rows(engine: Engine, *, log_days: int, history_days: int, batch: int = BATCH) -> dict[str, int]:
    """Remove rows of LOGS and HISTORY that were finished so many days ago, and those of _SOON.

    Returns how many rows of each table. Safe to interrupt and to start twice.
    """
    ages = [*((rule, log_days) for rule in LOGS), *((rule, history_days) for rule in HISTORY), *_SOON]
    return {rule.table: _remove(engine, rule, days, batch) for rule, days in ages}


def forget_gone_works(engine: Engine) -> int:
    """Remove what TMDB said of works that it has long not known; returns of how many."""

    def forget_batch(connection: Connection) -> int:
        return connection.scalar(text("SELECT forget_gone_works(100)")) or 0

    forgotten = 0
    while count := run_transaction(engine, forget_batch):
        forgotten += count
    return forgotten


def _remove(engine: Engine, rule: _Rule, days: int, batch: int) -> int:
    # Ordered, so that an index by time finds them; a row that somebody has locked is left for the next time.
    statement = text(f"""
        DELETE FROM {rule.table} WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM {rule.table}
            WHERE {rule.where} AND {rule.finished_at} < now() - make_interval(days => :days)
            ORDER BY {rule.finished_at} LIMIT :batch {"" if rule.final else "FOR UPDATE SKIP LOCKED"}
        ))
    """)  # noqa: S608 - constants only
    parameters = {"days": days, "batch": batch}

    def remove_batch(connection: Connection) -> int:
        return connection.execute(statement, parameters).rowcount

    removed = 0
    while count := run_transaction(engine, remove_batch):
        removed += count
    return removed
