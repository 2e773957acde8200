"""Tables as assets: what the UI says of each, and the row counts of the works tables, which a run records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagster import (
    AssetMaterialization,
    AssetSpec,
    DataVersion,
    OpExecutionContext,
    TableColumn,
    TableColumnConstraints,
    TableSchema,
)
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from tmdb_dagster.transform.attribution import JUSTWATCH_MARKDOWN, TMDB_NOTICE
from tmdb_dagster.transform.movie import SCHEMA_VERSION
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
    from collections.abc import Mapping

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


RULES = DataVersion(str(SCHEMA_VERSION))
"""The rules by which answers become rows, as the version of code and of data: what older ones made is `Unsynced` in the
UI, and what reads these tables is so when the rules have changed, not after each run."""

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


def table_written(table: str, metadata: Mapping[str, Any]) -> AssetMaterialization:
    """That a run has written a table."""
    return AssetMaterialization(table, metadata=metadata, tags={DATA_VERSION_TAG: RULES.value})


def row_counts(engine: Engine) -> dict[str, dict[str, Any]]:
    """The metadata of a materialisation of each of MOVIE_TABLES: how many rows it has."""
    from tmdb_dagster.warehouse.catalogue import count_rows

    with engine.begin() as connection:
        return {table.name: {"dagster/row_count": count_rows(connection, table.name)} for table in MOVIE_TABLES}


def record_tables(context: OpExecutionContext, engine: Engine) -> None:
    """Record that a run has written MOVIE_TABLES, after the movies that it wrote."""
    for table, counts in row_counts(engine).items():
        context.log_event(table_written(table, counts))
