"""How far each regular job has come."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection, text


def read_cursor(connection: Connection, sync_type: str) -> date | None:
    """The day (UTC) up to which a job has come; None where it never ran, or where the cursor tells no such day.

    Another system's may be no date. One in the future was written by a wrong clock, and nobody knows what was read.
    """
    row = connection.execute(
        text("""
            SELECT last_sync_cursor, (clock_timestamp() AT TIME ZONE 'utc')::date AS today
            FROM sync_state WHERE sync_type = :sync_type
        """),
        {"sync_type": sync_type},
    ).one_or_none()
    try:
        cursor = date.fromisoformat((row.last_sync_cursor or "")[:10]) if row else None
    except ValueError:
        return None
    return None if row is None or cursor is None or cursor > row.today else cursor


def move_cursor(connection: Connection, sync_type: str, day: date) -> None:
    """Note that a job has come to this day; of two that run at once, the one that is ahead counts."""
    connection.execute(
        text("INSERT INTO sync_state (sync_type) VALUES (:sync_type) ON CONFLICT (sync_type) DO NOTHING"),
        {"sync_type": sync_type},
    )
    connection.execute(text("SELECT FROM sync_state WHERE sync_type = :sync_type FOR UPDATE"), {"sync_type": sync_type})
    known = read_cursor(connection, sync_type)
    connection.execute(
        text("""
            UPDATE sync_state SET last_sync_cursor = :cursor, updated_at = clock_timestamp()
            WHERE sync_type = :sync_type
        """),
        {"sync_type": sync_type, "cursor": max(day, known or day).isoformat()},
    )


def read_position(connection: Connection, sync_type: str) -> int:
    """The id up to which a walk has come; 0 at its beginning."""
    query = text("SELECT last_sync_cursor FROM sync_state WHERE sync_type = :sync_type")
    position = connection.scalar(query, {"sync_type": sync_type}) or ""
    return int(position) if position.isdecimal() else 0


def move_position(connection: Connection, sync_type: str, position: int) -> None:
    """Note the id up to which a walk has come, or 0 where it begins anew."""
    connection.execute(
        text("""
            INSERT INTO sync_state (sync_type, last_sync_cursor) VALUES (:sync_type, :position)
            ON CONFLICT (sync_type) DO UPDATE SET
                last_sync_cursor = EXCLUDED.last_sync_cursor, updated_at = clock_timestamp()
        """),
        {"sync_type": sync_type, "position": str(position)},
    )


def note_sync(connection: Connection, sync_type: str) -> None:
    """Note that a job has ended well."""
    connection.execute(
        text("""
            INSERT INTO sync_state AS s (sync_type, last_sync_at, sync_count)
            VALUES (:sync_type, clock_timestamp(), 1)
            ON CONFLICT (sync_type) DO UPDATE SET
                last_sync_at = EXCLUDED.last_sync_at, sync_count = coalesce(s.sync_count, 0) + 1,
                updated_at = EXCLUDED.last_sync_at
        """),
        {"sync_type": sync_type},
    )
