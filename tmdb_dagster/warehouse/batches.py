"""Batches of candidates: what a discovery chose, whose run works on them, and what became of each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, text

from tmdb_dagster.warehouse.claims import Target
from tmdb_dagster.warehouse.engine import json_parameter
from tmdb_dagster.warehouse.leases import lease_lives
from tmdb_dagster.warehouse.run_log import log_ingest
from tmdb_dagster.warehouse.sync_state import note_sync

CandidateOutcome = Literal["ingested", "skipped", "excluded", "failed"]

_OWNER_LIVES = lease_lives("b.run_id")


@dataclass(frozen=True)
class CandidateBatch:
    """The candidates of one discovery: what was asked for, and what the lists held."""

    batch_id: int
    run_id: str
    source: str
    trigger_type: str
    movies_checked: int
    movies_skipped: int
    started_at: datetime
    exclusions: Mapping[str, int]
    """How many the discovery kept out, by reason."""


@dataclass(frozen=True)
class Candidate:
    """A movie that the lists name: its best place decides its rank."""

    tmdb_id: int
    rank: int
    title: str
    sources: tuple[str, ...]


def open_batch(
    connection: Connection,
    request: Mapping[str, Any],
    candidates: Sequence[Candidate],
    exclusions: Mapping[str, int],
) -> CandidateBatch:
    """Save a discovery; `request` maps ingest_batches' columns, `batch_id` and `exclusions` excepted."""
    request = {**request, "exclusions": json_parameter(exclusions)}
    names = ", ".join(request)
    values = ", ".join(f":{name}" for name in request)
    batch = connection.execute(
        text(f"INSERT INTO ingest_batches ({names}) VALUES ({values}) RETURNING *"),  # noqa: S608 - our own names
        request,
    ).one()
    rows = [{**vars(candidate), "batch_id": batch.batch_id} for candidate in candidates]
    connection.execute(
        text("""
            INSERT INTO ingest_candidates (batch_id, tmdb_id, rank, title, sources)
            SELECT batch_id, tmdb_id, rank, title, sources
            FROM jsonb_populate_recordset(NULL::ingest_candidates, CAST(:rows AS jsonb))
        """),
        {"rows": json_parameter(rows)},
    )
    return _batch(batch)


def adopt_batch(
    connection: Connection, run_id: str, *, source: str, max_movies: int, pages_per_source: int
) -> CandidateBatch | None:
    """Take over the newest batch of the last day that a dead run left open for the same request, if there is one."""
    row = connection.execute(
        text(f"""
            UPDATE ingest_batches SET run_id = :run_id WHERE batch_id = (
                SELECT b.batch_id FROM ingest_batches b
                WHERE b.closed_at IS NULL AND NOT {_OWNER_LIVES}
                    AND b.source = :source AND b.max_movies = :max_movies
                    AND b.pages_per_source = :pages_per_source
                    AND b.started_at > clock_timestamp() - interval '1 day'
                ORDER BY b.started_at DESC LIMIT 1
                FOR UPDATE SKIP LOCKED
            ) RETURNING *
        """),  # noqa: S608 - constants only
        {
            "run_id": run_id,
            "source": source,
            "max_movies": max_movies,
            "pages_per_source": pages_per_source,
        },
    ).one_or_none()
    return None if row is None else _batch(row)


def abandoned_batches(connection: Connection) -> list[CandidateBatch]:
    """Batches that dead runs left open, locked: nobody else closes them meanwhile."""
    rows = connection.execute(
        text(f"""
            SELECT * FROM ingest_batches b WHERE b.closed_at IS NULL AND NOT {_OWNER_LIVES}
            FOR UPDATE SKIP LOCKED
        """)  # noqa: S608 - constants only
    )
    return [_batch(row) for row in rows]


def leases_of_open_batches(connection: Connection, source: str) -> dict[str, datetime]:
    """When the leases of runs with an open batch of this source expire, by run id."""
    rows = connection.execute(
        text("""
            SELECT l.run_id, l.expires_at FROM run_leases l JOIN ingest_batches b USING (run_id)
            WHERE b.closed_at IS NULL AND b.source = :source AND l.expires_at > clock_timestamp()
        """),
        {"source": source},
    )
    return {row.run_id: row.expires_at for row in rows}


def find_batch(connection: Connection, run_ids: Sequence[str]) -> CandidateBatch | None:
    """The open batch of a run, or of the run that it repeats: the first of `run_ids` that has one.

    One that was closed with candidates left counts as open: by a failed run, or by one that only chose them.
    """
    rows = connection.execute(
        text("""
            SELECT * FROM ingest_batches b
            WHERE run_id = ANY(:run_ids) AND (
                closed_at IS NULL
                OR EXISTS (SELECT FROM ingest_candidates c WHERE c.batch_id = b.batch_id AND c.outcome IS NULL)
            )
        """),
        {"run_ids": list(run_ids)},
    ).all()
    found = sorted((_batch(row) for row in rows), key=lambda batch: run_ids.index(batch.run_id))
    return found[0] if found else None


def waiting_batch(connection: Connection) -> CandidateBatch | None:
    """The newest batch, locked, if no live run works on it and it has candidates left."""
    row = connection.execute(
        text(f"""
            SELECT * FROM ingest_batches b
            WHERE b.batch_id = (SELECT max(batch_id) FROM ingest_batches) AND NOT {_OWNER_LIVES}
                AND EXISTS (SELECT FROM ingest_candidates c WHERE c.batch_id = b.batch_id AND c.outcome IS NULL)
            FOR UPDATE SKIP LOCKED
        """)  # noqa: S608 - constants only
    ).one_or_none()
    return None if row is None else _batch(row)


def take_over_batch(connection: Connection, batch_id: int, run_id: str) -> CandidateBatch:
    """Make a run the one that works on the batch."""
    row = connection.execute(
        text("UPDATE ingest_batches SET run_id = :run_id, closed_at = NULL WHERE batch_id = :batch_id RETURNING *"),
        {"run_id": run_id, "batch_id": batch_id},
    ).one()
    return _batch(row)


def open_candidates(connection: Connection, batch_id: int) -> list[Target]:
    """The batch's candidates that nothing has become of yet, best ranked first."""
    rows = connection.execute(
        text("""
            SELECT tmdb_id, title FROM ingest_candidates
            WHERE batch_id = :batch_id AND outcome IS NULL ORDER BY rank
        """),
        {"batch_id": batch_id},
    )
    return [Target(int(row.tmdb_id), row.title, added_by="discovery") for row in rows]


def record_outcomes(
    connection: Connection,
    batch: CandidateBatch,
    outcomes: Mapping[int, tuple[CandidateOutcome, str]],
) -> None:
    """Say what became of candidates: (outcome, message) by TMDB id; only the run that works on the batch has a say."""
    rows = [
        {"tmdb_id": str(tmdb_id), "outcome": outcome, "message": message}
        for tmdb_id, (outcome, message) in outcomes.items()
    ]
    connection.execute(
        text("""
            UPDATE ingest_candidates c SET outcome = o.outcome, message = o.message
            FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS o(tmdb_id text, outcome text, message text),
                ingest_batches b
            WHERE c.batch_id = :batch_id AND c.tmdb_id = o.tmdb_id
                AND b.batch_id = c.batch_id AND b.run_id = :run_id
        """),
        {"batch_id": batch.batch_id, "run_id": batch.run_id, "rows": json_parameter(rows)},
    )


def has_batch(connection: Connection, run_id: str) -> bool:
    """Whether the run chose candidates, or took some over."""
    query = text("SELECT EXISTS (SELECT FROM ingest_batches WHERE run_id = :run_id)")
    return bool(connection.scalar(query, {"run_id": run_id}))


def batch_progress(connection: Connection, run_id: str) -> tuple[int, int]:
    """How many candidates of the run's batch are settled, and how many there are."""
    row = connection.execute(
        text("""
            SELECT count(outcome) AS settled, count(*) AS candidates
            FROM ingest_batches JOIN ingest_candidates USING (batch_id) WHERE run_id = :run_id
        """),
        {"run_id": run_id},
    ).one()
    return row.settled, row.candidates


def close_batch(connection: Connection, batch: CandidateBatch, error: str | None) -> None:
    """End a batch: its row in scheduled_ingestion_log, and sync_state where the ingest as a whole succeeded.

    A batch that another run has taken over is left to it.
    """
    closed = connection.execute(
        text("""
            UPDATE ingest_batches SET closed_at = clock_timestamp()
            WHERE batch_id = :batch_id AND run_id = :run_id AND closed_at IS NULL
        """),
        {"batch_id": batch.batch_id, "run_id": batch.run_id},
    )
    if not closed.rowcount:
        return
    candidates = connection.execute(
        text("SELECT outcome, message FROM ingest_candidates WHERE batch_id = :batch_id ORDER BY rank"),
        {"batch_id": batch.batch_id},
    )
    titles = defaultdict(list)
    for row in candidates:
        titles[row.outcome].append(row.message)
    exclusions = Counter(batch.exclusions) + Counter(titles["excluded"])
    log_ingest(
        connection,
        run_id=batch.run_id,
        source=batch.source,
        trigger_type=batch.trigger_type,
        started_at=batch.started_at,
        movies_checked=batch.movies_checked,
        movies_skipped=batch.movies_skipped + len(titles["skipped"]),
        movies_ingested=len(titles["ingested"]),
        movies_failed=len(titles["failed"]),
        ingested_titles=titles["ingested"],
        failed_titles=titles["failed"],
        movies_excluded=exclusions.total(),
        exclusions=exclusions,
        error_message=error,
    )
    if error is None:
        note_sync(connection, "scheduled_ingest")


def _batch(row: Any) -> CandidateBatch:
    return CandidateBatch(
        row.batch_id,
        row.run_id,
        row.source,
        row.trigger_type,
        row.movies_checked,
        row.movies_skipped,
        row.started_at,
        row.exclusions or {},
    )
