"""The catalogue as a whole."""

from __future__ import annotations

from sqlalchemy import Connection, text

# work_id's foreign keys take everything else of a movie along.
_TABLES = (
    "works",
    "image_inventory",
    "ingest_batches",
    "list_snapshots",
    "scheduled_ingestion_log",
    "score_prior",
    "catalogue_origin",
    "refused_requests",
)


def empty_catalogue(connection: Connection) -> int:
    """Remove all that came from TMDB; returns how many movies there were."""
    movies = connection.scalar(text("SELECT count(*) FROM works"))
    for table in _TABLES:
        connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - constants
    return movies or 0
