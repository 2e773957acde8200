"""Airbyte's CDK: a declarative source of 20 concurrent calls, each record as a raw row of Postgres.

Runs with a Python that has airbyte-cdk and psycopg2, and knows nothing of this project: ids, API and database come on
standard input. The CDK ends where a destination begins; the least one is here.
"""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import Any

BATCH = 50


def main() -> None:
    """Read the movies, write them as they come, and report how many there are."""
    task: dict[str, Any] = json.load(sys.stdin)
    import psycopg2  # type: ignore[import-untyped]
    from airbyte_cdk.models import (  # type: ignore[import-not-found]  # the other Python has it
        ConfiguredAirbyteCatalogSerializer,
        Type,
    )
    from airbyte_cdk.sources.declarative.concurrent_declarative_source import (  # type: ignore[import-not-found]
        ConcurrentDeclarativeSource,
    )

    stream = {"name": "movies", "json_schema": {}, "supported_sync_modes": ["full_refresh"]}
    catalog = ConfiguredAirbyteCatalogSerializer.load(
        {"streams": [{"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}]}
    )
    source = ConcurrentDeclarativeSource(
        catalog=catalog, config={}, state=[], source_config=manifest(task["api_url"], task["query"], task["movie_ids"])
    )
    logging.disable()
    with psycopg2.connect(**task["database"]) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE raw_movies (data jsonb, emitted_at bigint)")
        rows: list[str] = []
        for message in source.read(logging.getLogger("airbyte"), {}, catalog, []):
            if message.type is Type.RECORD and message.record is not None:
                document = json.dumps(message.record.data).replace("\\", "\\\\")
                rows.append(f"{document}\t{message.record.emitted_at}\n")
            if len(rows) == BATCH:
                write(cursor, rows)
                connection.commit()
        write(cursor, rows)
        cursor.execute("SELECT count(*) FROM raw_movies")
        movies = cursor.fetchone()[0]
    print(json.dumps({"movies": movies}))


def write(cursor: Any, rows: list[str]) -> None:
    """Copy rows to the table, and forget them."""
    cursor.copy_expert("COPY raw_movies FROM STDIN", io.StringIO("".join(rows)))
    rows.clear()


def manifest(api_url: str, query: dict[str, str], movie_ids: list[int]) -> dict[str, Any]:
    """A source with one stream, of a slice a movie."""
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["movies"]},
        "concurrency_level": {"type": "ConcurrencyLevel", "default_concurrency": 20, "max_concurrency": 20},
        "streams": [
            {
                "type": "DeclarativeStream",
                "name": "movies",
                "primary_key": "id",
                "schema_loader": {"type": "InlineSchemaLoader", "schema": {"type": "object"}},
                "retriever": {
                    "type": "SimpleRetriever",
                    "partition_router": {
                        "type": "ListPartitionRouter",
                        "values": [str(movie_id) for movie_id in movie_ids],
                        "cursor_field": "movie_id",
                    },
                    "requester": {
                        "type": "HttpRequester",
                        "url_base": api_url,
                        "path": "movie/{{ stream_partition.movie_id }}",
                        "http_method": "GET",
                        "request_parameters": query,
                    },
                    "record_selector": {
                        "type": "RecordSelector",
                        "extractor": {"type": "DpathExtractor", "field_path": []},
                    },
                },
            }
        ],
    }


if __name__ == "__main__":
    main()
