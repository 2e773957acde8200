"""dlt's rest_api source: each movie's answer as a row of Postgres, 20 calls in flight.

Runs with a Python that has dlt, and knows nothing of this project: ids, API and database come on standard input.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any
from urllib.parse import quote

ENVIRONMENT = {
    "EXTRACT__WORKERS": "20",
    "EXTRACT__MAX_PARALLEL_ITEMS": "20",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
}


def main() -> None:
    """Load the movies, and report how many there are."""
    task: dict[str, Any] = json.load(sys.stdin)
    os.environ.update(ENVIRONMENT)
    import dlt  # type: ignore[import-not-found]  # the other Python has it
    from dlt.sources.rest_api import rest_api_source  # type: ignore[import-not-found]

    database = task["database"]
    credentials = {
        "host": quote(database["host"], safe=""),
        "username": database["user"],
        "database": database["dbname"],
        "password": "-",
    }
    ids = dlt.resource([[{"id": movie_id}] for movie_id in task["movie_ids"]], name="ids", selected=False)
    source = rest_api_source(
        {
            "client": {"base_url": task["api_url"], "paginator": "single_page"},
            "resources": [
                ids,
                {
                    "name": "movies",
                    "parallelized": True,
                    "primary_key": "id",
                    "max_table_nesting": 0,
                    "endpoint": {"path": "movie/{resources.ids.id}", "params": task["query"], "data_selector": "$"},
                },
            ],
        }
    )
    pipeline = dlt.pipeline(
        "peer",
        pipelines_dir=task["folder"],
        destination=dlt.destinations.postgres(credentials),
        dataset_name="peer",
    )
    pipeline.run(source).raise_on_failed_jobs()
    with pipeline.sql_client() as client:
        [[movies]] = client.execute_sql("SELECT count(*) FROM movies") or [[0]]
    print(json.dumps({"movies": movies}))


if __name__ == "__main__":
    main()
