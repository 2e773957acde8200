"""The partitions: one a movie, by TMDB id, added as movies are found.

As a process it removes those of the movies that its arguments name, for `tmdb-dagster remove`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from dagster import DagsterInstance, DynamicPartitionsDefinition

movie_partitions = DynamicPartitionsDefinition(name="movies")


def partition_of(tmdb_id: int) -> str:
    """The key of a movie's partition."""
    return str(tmdb_id)


def tmdb_id_of(partition_key: str) -> int:
    """The TMDB id that a partition is named after. Raises Failure where it is none."""
    from tmdb_dagster.defs.failures import clear_failures
    from tmdb_dagster.pipeline.errors import InvalidRequest

    if not partition_key.isdecimal():
        with clear_failures():
            raise InvalidRequest(f"The partition '{partition_key}' is not a TMDB movie id, such as 603.")
    return int(partition_key)


def remove_partitions(instance: DagsterInstance, tmdb_ids: Iterable[int]) -> None:
    """Remove the partitions of movies that have left; one that is not there is no error."""
    for tmdb_id in tmdb_ids:
        instance.delete_dynamic_partition(str(movie_partitions.name), partition_of(tmdb_id))


if __name__ == "__main__":
    with DagsterInstance.get() as of_this_machine:
        remove_partitions(of_this_machine, map(int, sys.argv[1:]))
