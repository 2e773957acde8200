"""The partitions: one a movie, by TMDB id, added as movies are found."""

from __future__ import annotations

from dagster import DynamicPartitionsDefinition

movie_partitions = DynamicPartitionsDefinition(name="movies")
