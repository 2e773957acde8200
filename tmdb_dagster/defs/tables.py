"""Tables as assets: what the UI says of each, and the row counts of the works tables, which a run records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagster import AssetSpec, TableColumn, TableColumnConstraints, TableSchema

from tmdb_dagster.transform.attribution import JUSTWATCH_MARKDOWN, TMDB_NOTICE
from tmdb_dagster.warehouse.tables import metadata
from tmdb_dagster.warehouse.tables.catalogue import (
    aggregates,
    movie_responses,
    rating_sources,
    similar_movies,
    work_cards_cache,
    works,
    works_meta,
)

if TYPE_CHECKING:
    from sqlalchemy import Engine, Table

OWNERS = ["team:catalogue"]

MOVIE_TABLES: list[Table] = [
    works,
    movie_responses,
    works_meta,
    rating_sources,
    aggregates,
    similar_movies,
    work_cards_cache,
]
"""What one movie is written to."""


_SHOWS_PROVIDERS = ("movie_responses", "works_meta", "work_cards_cache")
_FROM_TMDB = (*(table.name for table in MOVIE_TABLES), "list_snapshots")


def table_spec(name: str, *, group: str, deps: list[str], more: str = "") -> AssetSpec:
    """The asset of a table, its columns as schema; its comment, `more` and the sources' notices as description."""
    table = metadata.tables[name]
    notices = [
        TMDB_NOTICE if name in _FROM_TMDB else "",
        JUSTWATCH_MARKDOWN if name in _SHOWS_PROVIDERS else "",
    ]
    return AssetSpec(
        name,
        deps=deps,
        group_name=group,
        owners=OWNERS,
        kinds={"postgres"},
        description="\n\n".join(filter(None, [table.comment, more, " ".join(filter(None, notices))])),
        metadata={
            "dagster/table_name": name,
            "dagster/column_schema": TableSchema(
                columns=[
                    TableColumn(
                        column.name,
                        type=str(column.type),
                        description=column.comment,
                        constraints=TableColumnConstraints(nullable=bool(column.nullable)),
                    )
                    for column in table.columns
                ]
            ),
        },
    )


def row_counts(engine: Engine) -> dict[str, dict[str, Any]]:
    """The metadata of a materialisation of each of MOVIE_TABLES: how many rows it has."""
    from tmdb_dagster.warehouse.catalogue import count_rows

    with engine.begin() as connection:
        return {table.name: {"dagster/row_count": count_rows(connection, table.name)} for table in MOVIE_TABLES}
