"""What must hold of the work that keeps the catalogue: nothing stuck, failing, late or given away."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from sqlalchemy import Connection, text

from tmdb_dagster.warehouse.claims import LIVE_CLAIM
from tmdb_dagster.warehouse.health import image_coverage, images_by_status
from tmdb_dagster.warehouse.problems import OVERDUE, QUEUE_WAITS, too_many_failed
from tmdb_dagster.warehouse.quality import EXAMPLES, Finding, none_of

LEAST_COVERAGE_PERCENT = 95
"""So many of the images should be in the store."""

LOG_DAYS = 8
"""Days of tmdb_api_logs that are searched for secrets."""

_SHORTEST_SECRET = 8
_CREDENTIAL = re.compile(
    r"""(api_key=|"api_key": *"|"authorization": *"(?:bearer +)?|bearer +)(?!\[redacted)[^\s"&]+""", re.IGNORECASE
)


def no_stuck_works(connection: Connection) -> Finding:
    """A work that is `ingesting` has a run that lives."""
    return none_of(
        connection,
        "stuck works",
        f"""SELECT w.title || ' (TMDB id ' || w.tmdb_id || '), claimed by ' || coalesce(w.claimed_by, 'nobody')
                AS example, count(*) OVER () AS found
        FROM works w WHERE w.ingestion_status = 'ingesting' AND NOT {LIVE_CLAIM} ORDER BY w.work_id""",  # noqa: S608 - a constant
    )


def few_failed_works(connection: Connection) -> Finding:
    """Not many works are `failed`; those that TMDB knows no more do not count."""
    failed, works = connection.execute(
        text("""
            SELECT count(*) FILTER (WHERE ingestion_status = 'failed' AND gone_at IS NULL), count(*) FROM works
        """)
    ).one()
    share = failed / works if works else 0.0
    return Finding(
        not too_many_failed(failed, works),
        {"failed works": failed, "failed (%)": round(100 * share, 1)},
        _reasons(connection, "ingestion_error", "works", "ingestion_status = 'failed' AND gone_at IS NULL"),
    )


def images_rehosted(connection: Connection) -> Finding:
    """Nearly all images are in the store, and none was given up."""
    images = images_by_status(image_coverage(connection))
    percent = round(100 * images["stored"] / images.total(), 1) if images else 100.0
    counts = {status: images[status] for status in ("stored", "pending", "failed", "gave_up")}
    return Finding(
        percent >= LEAST_COVERAGE_PERCENT and not images["gave_up"],
        {**counts, "coverage (%)": percent},
        _reasons(connection, "last_error", "image_inventory", "status IN ('failed', 'gave_up')"),
    )


def queue_moves(connection: Connection) -> Finding:
    """No due entry of the queue waits for long."""
    due, hours, failed = connection.execute(
        text("""
            SELECT count(*) FILTER (WHERE due), max(extract(epoch FROM now() - due_at) / 3600) FILTER (WHERE due),
                count(*) FILTER (WHERE status = 'failed' AND processed_at > now() - interval '7 days')
            FROM (SELECT *, status = 'queued' AND due_at <= now() AS due FROM refresh_queue) q
        """)
    ).one()
    oldest = round(float(hours or 0), 1)
    return Finding(
        oldest <= QUEUE_WAITS.total_seconds() / 3600,
        {"due": due, "oldest due (h)": oldest, "failed in 7 days": failed},
        _reasons(
            connection,
            "last_error",
            "refresh_queue",
            "status = 'failed' AND processed_at > now() - interval '7 days'",
        ),
    )


def ran_lately(connection: Connection, sync_type: str) -> Finding:
    """A regular job ended well and is not overdue; one that never has is not due yet."""
    age = connection.scalar(
        text("SELECT extract(epoch FROM now() - last_sync_at) / 3600 FROM sync_state WHERE sync_type = :sync_type"),
        {"sync_type": sync_type},
    )
    if age is None:
        return Finding(True, examples=("It has not run yet.",))
    return Finding(age <= OVERDUE[sync_type].total_seconds() / 3600, {"hours ago": round(float(age), 1)})


def no_secret_in_logs(connection: Connection, secrets: Iterable[str]) -> Finding:
    """The calls of the last days hold none of `secrets`, nor anything that is named as a credential."""
    rows = connection.execute(
        text("""
            SELECT count(*) AS calls, concat_ws(
                ' ', regexp_replace(endpoint, '/[0-9]+', '/{id}', 'g'), (query_params - 'page')::text,
                error_message, (metadata - 'run_id')::text, request_body::text
            ) AS logged
            FROM tmdb_api_logs WHERE created_at > now() - make_interval(days => :days) GROUP BY logged
        """),
        {"days": LOG_DAYS},
    )
    # Compared here: a secret in a statement would be in the server's own log.
    hidden = [
        form for secret in secrets if len(secret) >= _SHORTEST_SECRET for form in (secret, quote(secret, safe=""))
    ]
    searched = found = 0
    examples = []
    for row in rows:
        searched += row.calls
        if _CREDENTIAL.search(row.logged) or any(secret in row.logged for secret in hidden):
            found += row.calls
            examples.append(_redacted(row.logged, hidden)[:200])
    return Finding(not found, {"calls searched": searched, "calls with a secret": found}, tuple(examples[:EXAMPLES]))


def _redacted(logged: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        logged = logged.replace(secret, "[redacted]")
    return _CREDENTIAL.sub(r"\1[redacted]", logged)


def _reasons(connection: Connection, column: str, table: str, condition: str) -> tuple[str, ...]:
    """The most frequent texts of a column, movies' ids apart."""
    rows = connection.scalars(
        text(f"""
            SELECT count(*) || ' x ' || reason FROM (
                SELECT left(regexp_replace({column}, '/[0-9]+', '/{{id}}', 'g'), 200) AS reason FROM {table}
                WHERE {condition} AND {column} IS NOT NULL
            ) r GROUP BY reason ORDER BY count(*) DESC, reason LIMIT {EXAMPLES}
        """)  # noqa: S608 - our own names
    )
    return tuple(rows)
