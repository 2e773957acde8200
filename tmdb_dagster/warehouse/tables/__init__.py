"""The tables: what `alembic check` compares the database with, which indexes `migrate` builds, what assets describe."""

from __future__ import annotations

from tmdb_dagster.warehouse.tables import catalogue, images, operations, requests
from tmdb_dagster.warehouse.tables.metadata import metadata

__all__ = ["catalogue", "images", "metadata", "operations", "requests"]
