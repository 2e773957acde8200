"""Who may read, on Supabase: its default privileges open every new table to the anonymous key.

New tables get row level security. With the anonymous key only the dashboard's tables can be read, and nothing can be
written. The owner of the tables and roles with BYPASSRLS are not concerned. Elsewhere the roles do not exist, and
nothing is done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, text

from tmdb_dagster.warehouse.takeover.plan import execute, literal, quoted

CONSUMERS_TABLES = frozenset(
    {
        "works",
        "works_meta",
        "rating_sources",
        "aggregates",
        "similar_movies",
        "work_cards_cache",
        "tmdb_api_logs",
        "scheduled_ingestion_log",
        "refresh_queue",
        "sync_state",
    }
)
"""Tables that consumers read: where one was there before, its row level security is its owner's affair."""

_DASHBOARD = ("tmdb_api_logs", "scheduled_ingestion_log", "refresh_queue", "sync_state")
_POLICY = "dashboard reads"
_PRIVATE_FUNCTIONS = (
    "remove_unfinished_works(text)",
    "remove_unknown_works(text, bigint[])",
    "forget_gone_works(integer)",
)
_FUNCTIONS_OF = {"request_movie(bigint)": "authenticated"}
"""Functions with their owner's rights for readers, and the role that may call them; the owner may grant more."""

_ROLES = text("SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated') ORDER BY rolname")
_RELATIONS = text("""
    SELECT relname FROM pg_class
    WHERE relnamespace = CAST(:schema AS regnamespace) AND relkind IN ('r', 'p', 'v', 'm', 'f')
""")
_OPEN = text("""
    SELECT c.relname AS name, EXISTS (
        SELECT FROM pg_roles r WHERE r.rolname IN ('anon', 'authenticated')
            AND has_table_privilege(r.rolname, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
    ) AS reachable
    FROM pg_class c
    WHERE c.relnamespace = CAST(:schema AS regnamespace) AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
    ORDER BY c.relname
""")
_IS_STALE_SEES_NO_WORKS = text("""
    SELECT count(*) FROM pg_proc p JOIN pg_class c ON c.relnamespace = p.pronamespace AND c.relname = 'works'
    WHERE p.pronamespace = CAST(:schema AS regnamespace) AND p.proname = 'is_stale' AND NOT p.prosecdef
        AND oidvectortypes(p.proargtypes) = 'bigint' AND c.relrowsecurity
        AND NOT EXISTS (SELECT FROM pg_policy l WHERE l.polrelid = c.oid AND l.polcmd IN ('r', '*'))
""")
_VIEWS = text("""
    SELECT relname FROM pg_class
    WHERE relnamespace = CAST(:schema AS regnamespace) AND relkind = 'v' AND relname = ANY(:names)
        AND NOT coalesce(reloptions, '{}') && ARRAY['security_invoker=true', 'security_invoker=on']
""")


def public_roles(connection: Connection) -> list[str]:
    """The roles that anybody with Supabase's anonymous key has; none elsewhere."""
    return list(connection.scalars(_ROLES))


def relations_of(connection: Connection, schema: str) -> set[str]:
    """The tables and views of a schema; none where it does not exist."""
    exists = connection.scalar(text("SELECT to_regnamespace(:schema)"), {"schema": quoted(schema)})
    return set(connection.scalars(_RELATIONS, {"schema": quoted(schema)})) if exists else set()


def guards(schema: str, tables: Iterable[str], roles: Collection[str]) -> list[str]:
    """The statements that close new tables to the public roles, but for the dashboard's reads."""
    if not roles:
        return []
    public = ", ".join(roles)
    statements = []
    for table in tables:
        name = quoted(schema, table)
        statements += [f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY", f"REVOKE ALL ON {name} FROM {public}"]
        if table in _DASHBOARD:
            statements += [
                f"GRANT SELECT ON {name} TO {public}",
                f"CREATE POLICY {quoted(_POLICY)} ON {name} FOR SELECT TO {public} USING (true)",
            ]
    return statements


def guard(connection: Connection, schema: str, *, new: Collection[str], own: Collection[str]) -> None:
    """Close the tables that are `new`, and our `own` ones that are still open; let new views ask as their reader.

    Consumers may ask is_stale, where they cannot read works themselves.
    """
    roles = public_roles(connection)
    if not roles:
        return
    still_open = {row.name for row in connection.execute(_OPEN, {"schema": quoted(schema)})}
    statements = guards(schema, sorted(still_open & {*new, *own}), roles)
    for view in connection.scalars(_VIEWS, {"schema": quoted(schema), "names": list(new)}):
        statements.append(f"ALTER VIEW {quoted(schema, view)} SET (security_invoker = true)")
    for statement in statements:
        execute(connection, statement)
    for signature in _PRIVATE_FUNCTIONS:
        if connection.scalar(text("SELECT to_regprocedure(:name)"), {"name": f"{quoted(schema)}.{signature}"}):
            execute(connection, _private(schema, signature, roles))
    if connection.scalar(_IS_STALE_SEES_NO_WORKS, {"schema": quoted(schema)}):
        execute(connection, as_owner(schema, "is_stale(bigint)"))


def as_owner(schema: str, signature: str) -> str:
    """The statement that lets a function read what its caller cannot."""
    return (
        f"ALTER FUNCTION {quoted(schema)}.{signature} SECURITY DEFINER SET search_path TO {literal(schema)}, 'pg_temp'"
    )


def functions_guards(schema: str, roles: Collection[str]) -> list[str]:
    """The statements that say who may call the functions with their owner's rights, of a database where all are new."""
    if not roles:
        return []
    signatures = (*_PRIVATE_FUNCTIONS, *_FUNCTIONS_OF)
    return [statement for signature in signatures for statement in function_guards(schema, signature, roles)]


def function_guards(schema: str, signature: str, roles: Collection[str]) -> list[str]:
    """The statements that keep a new function with its owner's rights to its owner and to whom it is for."""
    statements = [_private(schema, signature, roles)]
    if (role := _FUNCTIONS_OF.get(signature)) in roles:
        statements.append(f"GRANT EXECUTE ON FUNCTION {quoted(schema)}.{signature} TO {role}")
    return statements


def _private(schema: str, signature: str, roles: Collection[str]) -> str:
    """The statement that keeps a function to its owner and to whom it is granted."""
    return f"REVOKE ALL ON FUNCTION {quoted(schema)}.{signature} FROM {', '.join(['PUBLIC', *roles])}"


def open_tables(connection: Connection, schema: str, names: Collection[str]) -> list[str]:
    """Those of the tables that the anonymous key can reach, since they have no row level security."""
    if not public_roles(connection):
        return []
    return [
        row.name for row in connection.execute(_OPEN, {"schema": quoted(schema)}) if row.reachable and row.name in names
    ]
