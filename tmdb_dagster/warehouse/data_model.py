"""The data model as a page, read from the database itself: its tables, columns, indexes, views and functions."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, text

from tmdb_dagster.warehouse.engine import VERSION_TABLE
from tmdb_dagster.warehouse.title_index import TITLE_INDEX

_RELATIONS = text("""
    SELECT c.oid, c.relname AS name, obj_description(c.oid, 'pg_class') AS comment
    FROM pg_class c
    WHERE c.relkind = :kind AND c.relnamespace = current_schema()::regnamespace AND c.relname <> :version_table
    ORDER BY c.relname
""")
_COLUMNS = text("""
    SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required,
        pg_get_expr(d.adbin, d.adrelid) AS value, col_description(a.attrelid, a.attnum) AS comment
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
    WHERE a.attrelid = :table AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum
""")
_CONSTRAINTS = text("""
    SELECT pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid = :table AND contype IN ('p', 'u', 'f', 'c')
    ORDER BY array_position(ARRAY['p', 'u', 'f', 'c'], contype::text), conname
""")
_INDEXES = text("""
    SELECT regexp_replace(pg_get_indexdef(i.indexrelid), '^.* ON (\\w+\\.)?\\w+ USING ', '') AS definition,
        i.indisunique AS is_unique
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = :table AND c.relname <> :title_index
        AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
    ORDER BY c.relname
""")
_FUNCTIONS = text("""
    SELECT p.proname AS name, pg_get_function_arguments(p.oid) AS arguments,
        pg_get_function_result(p.oid) AS result, obj_description(p.oid, 'pg_proc') AS comment
    FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
    ORDER BY p.proname
""")
_HEADER = """\
# Data model

This page is made from the database by `make docs`, and a test keeps it true. Every text below is the COMMENT of its
table, column, view or function, so `\\d+ works` in psql shows the same.

Consumers read `works`, `works_meta`, `rating_sources`, `aggregates`, `similar_movies`, `work_cards_cache`, the logs,
the queue and the sync state, and operators the views: their names and meanings are a contract. The other tables are
the pipeline's own.

Where the database has the extension pg_trgm, or lets the owner create it, `works` has one more index, which finds parts
of titles: `gin (title gin_trgm_ops, original_title gin_trgm_ops)`.
"""


def data_model(connection: Connection) -> str:
    """The page, in Markdown, of the current schema."""
    parts = [_HEADER]
    for table in connection.execute(_RELATIONS, {"kind": "r", "version_table": VERSION_TABLE}).all():
        parts.append(f"## {table.name}\n\n{table.comment}\n")
        columns = connection.execute(_COLUMNS, {"table": table.oid})
        parts.append(
            _table(
                ("column", "type", "default", "meaning"),
                (
                    (
                        f"`{column.name}`",
                        column.type + (" NOT NULL" if column.required else ""),
                        f"`{column.value}`" if column.value else "",
                        column.comment,
                    )
                    for column in columns
                ),
            )
        )
        lines = [f"* `{line}`" for line in connection.scalars(_CONSTRAINTS, {"table": table.oid})]
        lines += [
            f"* {'unique index' if index.is_unique else 'index'} `{index.definition}`"
            for index in connection.execute(_INDEXES, {"table": table.oid, "title_index": TITLE_INDEX})
        ]
        parts.append("\n".join(lines) + "\n")
    for view in connection.execute(_RELATIONS, {"kind": "v", "version_table": VERSION_TABLE}).all():
        parts.append(f"## View {view.name}\n\n{view.comment}\n")
        columns = connection.execute(_COLUMNS, {"table": view.oid})
        parts.append(
            _table(
                ("column", "type", "meaning"),
                ((f"`{column.name}`", column.type, column.comment) for column in columns),
            )
        )
    parts.append("## Functions\n")
    functions = connection.execute(_FUNCTIONS)
    parts.append(
        _table(
            ("function", "returns", "meaning"),
            ((f"`{f.name}({f.arguments})`", f.result, f.comment) for f in functions),
        )
    )
    return "\n".join(parts)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |\n" for line in lines)
