"""The partitions: one a movie, by TMDB id, added as movies are found."""

from __future__ import annotations

from dagster import DynamicPartitionsDefinition

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
