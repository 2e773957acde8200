"""Whose movies a database holds: the sandbox's synthetic ones never mix with TMDB's."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import Connection, Engine, text

from tmdb_dagster.warehouse.errors import OriginMismatch
from tmdb_dagster.warehouse.takeover.access import relations_of

Origin = Literal["tmdb", "sandbox"]


def require_room_for_sandbox(engine: Engine, schema: str) -> None:
    """Raise OriginMismatch where the schema has tables that are not the catalogue's; called before they are made.

    Whoever has forgotten the key must not find a database of theirs migrated and filled with synthetic movies.
    """
    with engine.begin() as connection:
        found = relations_of(connection, schema)
        if "catalogue_origin" in found:
            require_origin(connection, "sandbox")
        elif found:
            raise OriginMismatch(
                f"DATABASE_URL names a database that is not empty (it has {', '.join(sorted(found)[:3])}), and without "
                "a key only the sandbox's synthetic movies could be added: set TMDB_READ_ACCESS_TOKEN or TMDB_API_KEY, "
                "or unset DATABASE_URL."
            )


def require_origin(connection: Connection, origin: Origin) -> None:
    """Make the database one of this origin, or raise OriginMismatch.

    A database with movies that another program added, and no origin, was filled before: they are TMDB's.
    """
    # Of two first runs at once, the second must see what the first decides.
    connection.execute(text("LOCK TABLE catalogue_origin IN SHARE ROW EXCLUSIVE MODE"))
    connection.execute(
        text("""
            INSERT INTO catalogue_origin (origin)
            SELECT CASE WHEN EXISTS (SELECT FROM works WHERE added_by IS NULL) THEN 'tmdb' ELSE :origin END
            WHERE NOT EXISTS (SELECT FROM catalogue_origin)
        """),
        {"origin": origin},
    )
    found = connection.scalar(text("SELECT origin FROM catalogue_origin"))
    if found == origin:
        return
    if origin == "sandbox":
        raise OriginMismatch(
            "DATABASE_URL names a database with movies from TMDB, and without a key only the sandbox's synthetic "
            "movies could be added: set TMDB_READ_ACCESS_TOKEN or TMDB_API_KEY, or unset DATABASE_URL."
        )
    raise OriginMismatch(
        "DATABASE_URL names a database with the sandbox's synthetic movies: use another database for TMDB's."
    )
