"""What a schema holds, read from Postgres's own catalogs in the words that it would be created with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

_RELATIONS = text("""
    SELECT c.oid, c.relname AS name, c.relkind::text AS kind, obj_description(c.oid, 'pg_class') AS comment,
        pg_has_role(c.relowner, 'USAGE') AS owned, pg_get_userbyid(c.relowner) AS owner,
        coalesce(array_to_string(c.reloptions, ', '), '') AS options,
        CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END AS query,
        EXISTS (
            SELECT FROM pg_trigger t
            WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 7 = 7
        ) AS fills_rows
    FROM pg_class c
    WHERE c.relnamespace = CAST(:schema AS regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    ORDER BY c.oid
""")
_COLUMNS = text("""
    SELECT a.attrelid AS relation, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
        a.attnotnull AS required, a.attidentity <> '' OR a.attgenerated <> '' AS generated,
        pg_get_expr(d.adbin, d.adrelid) AS value, pg_get_serial_sequence(c.oid::regclass::text, a.attname) AS sequence,
        CASE WHEN a.attcollation <> t.typcollation THEN quote_ident(l.collname) END AS collation,
        col_description(a.attrelid, a.attnum) AS comment
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
    WHERE c.relnamespace = CAST(:schema AS regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attrelid, a.attnum
""")
_CONSTRAINTS = text("""
    SELECT k.conrelid AS relation, k.conname AS name, k.contype::text AS kind, k.convalidated AS validated,
        pg_get_constraintdef(k.oid) AS definition, pg_get_expr(k.conbin, k.conrelid) AS expression,
        f.relname AS target,
        (SELECT a.attname FROM pg_attribute a WHERE (a.attrelid, a.attnum) = (k.confrelid, k.confkey[1]))
            AS target_column,
        ARRAY(
            SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS n(number, place)
            JOIN pg_attribute a ON (a.attrelid, a.attnum) = (k.conrelid, n.number) ORDER BY n.place
        ) AS columns
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_class f ON f.oid = k.confrelid
    WHERE c.relnamespace = CAST(:schema AS regnamespace) AND k.contype IN ('p', 'u', 'f', 'c')
    ORDER BY k.oid
""")
_INDEXES = text("""
    SELECT i.indrelid AS relation, c.relname AS name, i.indisunique AS is_unique, i.indisvalid AS valid,
        i.indimmediate AS immediate, pg_get_expr(i.indpred, i.indrelid) AS predicate,
        regexp_replace(pg_get_indexdef(c.oid), '^.*? USING ', '') AS definition,
        k.conname AS constraint_name,
        CASE WHEN i.indexprs IS NULL THEN ARRAY(
            SELECT a.attname::text FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS n(number, place)
            JOIN pg_attribute a ON (a.attrelid, a.attnum) = (i.indrelid, n.number) ORDER BY n.place
        ) END AS columns
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
    WHERE c.relnamespace = CAST(:schema AS regnamespace)
    ORDER BY c.oid
""")
_FUNCTIONS = text("""
    SELECT p.proname AS name, p.prokind::text AS kind, pg_get_function_arguments(p.oid) AS arguments,
        oidvectortypes(p.proargtypes) AS types, coalesce(p.proargnames[1:p.pronargs], '{}') AS names,
        pg_get_function_result(p.oid) AS result, p.prosrc AS source, pg_get_functiondef(p.oid) AS definition,
        p.prosecdef AS as_owner, p.proparallel AS parallel, obj_description(p.oid, 'pg_proc') AS comment,
        pg_has_role(p.proowner, 'USAGE') AS owned, pg_get_userbyid(p.proowner) AS owner
    FROM pg_proc p
    WHERE p.pronamespace = CAST(:schema AS regnamespace) AND p.prokind IN ('f', 'p', 'w')
    ORDER BY p.oid
""")


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    required: bool
    generated: bool
    """An identity, or computed: nobody writes it."""
    value: str | None
    """Its default."""
    sequence: str | None
    """The sequence that counts it up: it is a BIGSERIAL."""
    collation: str | None
    comment: str | None


@dataclass(frozen=True)
class Constraint:
    """`kind` is p, u, f or c, as in pg_constraint; `target` and its column are what an f refers to."""

    name: str
    kind: str
    columns: tuple[str, ...]
    definition: str
    expression: str | None
    target: str | None
    target_column: str | None
    validated: bool


@dataclass(frozen=True)
class Index:
    """`definition` is what follows USING; `columns` is None where it has expressions."""

    name: str
    columns: tuple[str, ...] | None
    is_unique: bool
    valid: bool
    immediate: bool
    predicate: str | None
    definition: str
    constraint_name: str | None

    def is_key(self, columns: tuple[str, ...]) -> bool:
        """Whether ON CONFLICT (columns) finds it."""
        usable = self.is_unique and self.valid and self.immediate and self.predicate is None
        return usable and self.columns is not None and sorted(self.columns) == sorted(columns)


@dataclass(frozen=True)
class Relation:
    """A table, or what is in the place of one; `kind` as in pg_class."""

    name: str
    kind: str
    comment: str | None
    owned: bool
    owner: str
    options: str
    query: str | None
    fills_rows: bool
    """Whether a trigger may fill columns before a row is inserted."""
    columns: dict[str, Column] = field(default_factory=dict)
    constraints: list[Constraint] = field(default_factory=list)
    indexes: list[Index] = field(default_factory=list)


@dataclass(frozen=True)
class Function:
    """`types` are its arguments' types, which with the name make its signature; `arguments` has names, too."""

    name: str
    kind: str
    arguments: str
    types: str
    names: tuple[str, ...]
    result: str | None
    source: str
    definition: str
    as_owner: bool
    parallel: str
    comment: str | None
    owned: bool
    owner: str


@dataclass(frozen=True)
class Catalog:
    """A schema's contents by name; functions by name and types."""

    relations: dict[str, Relation]
    functions: dict[tuple[str, str], Function]

    def index_names(self) -> set[str]:
        """The names of all indexes that are whole."""
        return {index.name for one in self.relations.values() for index in one.indexes if index.valid}


def read_catalog(connection: Connection, schema: str) -> Catalog:
    """Read a schema; it becomes the transaction's search_path, so that its own names come unqualified."""
    connection.execute(text(f'SET LOCAL search_path TO "{schema}"'))
    of_schema: Mapping[str, Any] = {"schema": f'"{schema}"'}
    relations = {}
    for row in connection.execute(_RELATIONS, of_schema).mappings():
        relations[row["oid"]] = Relation(**{key: row[key] for key in row if key != "oid"})
    for row in connection.execute(_COLUMNS, of_schema).mappings():
        column = Column(**{key: row[key] for key in row if key != "relation"})
        relations[row["relation"]].columns[column.name] = column
    for row in connection.execute(_CONSTRAINTS, of_schema).mappings():
        values = {key: row[key] for key in row if key not in ("relation", "columns")}
        relations[row["relation"]].constraints.append(Constraint(columns=tuple(row["columns"]), **values))
    for row in connection.execute(_INDEXES, of_schema).mappings():
        values = {key: row[key] for key in row if key not in ("relation", "columns")}
        columns = None if row["columns"] is None else tuple(row["columns"])
        if row["relation"] in relations:
            relations[row["relation"]].indexes.append(Index(columns=columns, **values))
    functions = {}
    for row in connection.execute(_FUNCTIONS, of_schema).mappings():
        values = {key: row[key] for key in row if key != "names"}
        function = Function(names=tuple(row["names"]), **values)
        functions[function.name, function.types] = function
    return Catalog({relation.name: relation for relation in relations.values()}, functions)
