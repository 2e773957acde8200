"""The tables: what `alembic check` compares the database with, and where docs/data-model.md comes from."""

from __future__ import annotations

from tmdb_dagster.warehouse.tables import catalogue, images, operations
from tmdb_dagster.warehouse.tables.metadata import metadata

__all__ = ["catalogue", "images", "metadata", "operations"]
