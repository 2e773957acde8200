"""Whether a database can hold the catalogue, and this role can write it: known only by writing."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, text

from tmdb_dagster.warehouse.engine import address
from tmdb_dagster.warehouse.errors import AccessDenied, UnsuitableDatabase
from tmdb_dagster.warehouse.tables import metadata

NOT_UTF8 = (
    "The database's encoding is {encoding}, which cannot hold all titles: make one with "
    "`CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0`, and copy what is in this one."
)

_LACKING = text("""
    SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY(:tables)
        AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT'))
    ORDER BY c.relname
""")
_WRITE = text("INSERT INTO sync_state (sync_type, last_sync_at) VALUES ('doctor', now())")


def encoding_of(connection: Connection) -> str:
    """The encoding of the database's texts, such as UTF8."""
    return str(connection.scalar(text("SHOW server_encoding")))


def check_writable(engine: Engine) -> None:
    """Write a row, and take it back.

    Raises UnsuitableDatabase, DatabaseReadOnly, AccessDenied, and whatever else keeps a row from being written.
    """
    with engine.connect() as connection:
        if (encoding := encoding_of(connection)) != "UTF8":
            raise UnsuitableDatabase(NOT_UTF8.format(encoding=encoding))
        connection.execute(_WRITE)
        lacking = list(connection.scalars(_LACKING, {"tables": list(metadata.tables)}))
        connection.rollback()
    if lacking:
        raise AccessDenied(
            f"The role of {address(str(engine.url))} may not read and write {', '.join(lacking)}: run "
            "deploy/postgres/pipeline_role.sql as the owner of the tables, and use its role in DATABASE_URL."
        )
