"""The index by which titles are searched for a part of them: GIN, of their trigrams.

It needs the extension pg_trgm, which not every database has or lets a role create. So it is not declared with the
tables: `migrate` makes both where it may. Elsewhere a search reads all titles, and a note says so.
"""

from __future__ import annotations

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from tmdb_dagster.warehouse.errors import AccessDenied
from tmdb_dagster.warehouse.takeover.plan import Plan, Step, execute, quoted

TITLE_INDEX = "works_titles_idx"

# Where Supabase has it. In a schema with tables its functions would be the API's, too.
_EXTENSIONS = "extensions"

_PENDING_KB = 256
"""What is written is first kept in a list that every search reads. Were it of Postgres's 4 MB, the planner would read
all works instead; without one, an update costs six times as much."""

_IS_WHOLE = text("""
    SELECT i.indisvalid FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
    WHERE c.relnamespace = to_regnamespace(:schema) AND c.relname = :name
""")
_SCHEMA_OF_EXTENSION = text("""
    SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm'
""")
_NOTE = (
    "Searches by title read all titles: this role may not create or use the extension pg_trgm, or the server does not "
    "have it. Where it has, let a superuser run `CREATE SCHEMA IF NOT EXISTS {home}; CREATE EXTENSION IF NOT EXISTS "
    "pg_trgm WITH SCHEMA {home}; GRANT USAGE ON SCHEMA {home} TO {role}`, and migrate again."
)


def plan_title_index(plan: Plan, connection: Connection, schema: str) -> None:
    """Add to a plan the index, where it is missing or was left unfinished, and the extension."""
    whole = connection.scalar(_IS_WHOLE, {"schema": quoted(schema), "name": TITLE_INDEX})
    if whole:
        return
    home = connection.scalar(_SCHEMA_OF_EXTENSION)
    statements = _create_extension(connection) if home is None else []
    home = quoted(home or _EXTENSIONS)
    if not _may(connection, statements, home):
        role = quoted(str(connection.scalar(text("SELECT current_user"))))
        plan.notes.append(_NOTE.format(home=home, role=role))
        return
    if whole is False:
        statements.append(f"DROP INDEX CONCURRENTLY {quoted(schema, TITLE_INDEX)}")
    statements.append(
        f"CREATE INDEX CONCURRENTLY {quoted(TITLE_INDEX)} ON {quoted(schema, 'works')} "
        f"USING gin (title {home}.gin_trgm_ops, original_title {home}.gin_trgm_ops) "
        f"WITH (gin_pending_list_limit = {_PENDING_KB})"
    )
    plan.steps.append(Step(f"build index {TITLE_INDEX}", tuple(statements), alone=True))


def _create_extension(connection: Connection) -> list[str]:
    # IF NOT EXISTS would ask for the right to create schemas also where it exists.
    exists = connection.scalar(text("SELECT to_regnamespace(:name)"), {"name": _EXTENSIONS})
    schema = [] if exists else [f"CREATE SCHEMA {_EXTENSIONS}"]
    return [*schema, f"CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA {_EXTENSIONS}"]


def _may(connection: Connection, statements: list[str], home: str) -> bool:
    """Whether they succeed, and what is in the schema `home` can be used then; nothing stays of them.

    Providers have rules of their own for extensions: only a try tells.
    """
    try:
        with connection.begin_nested() as tried:
            for statement in statements:
                execute(connection, statement)
            query = text("SELECT has_schema_privilege(CAST(:home AS regnamespace), 'USAGE')")
            usable = bool(connection.scalar(query, {"home": home}))
            tried.rollback()
    except (AccessDenied, DBAPIError):
        return False
    return usable
