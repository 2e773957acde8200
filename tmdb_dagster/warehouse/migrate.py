"""Brings a database to the current schema, by Alembic."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from tmdb_dagster.warehouse.engine import reachable

MIGRATIONS = Path(__file__).parent / "migrations"


def alembic_config(engine: Engine, schema: str = "public") -> Config:
    """Alembic's configuration for this database; `alembic` on the command line reads pyproject.toml instead."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = engine
    config.attributes["schema"] = schema
    return config


def migrate(engine: Engine, schema: str = "public") -> None:
    """Bring the database to the current revision; safe to repeat and to start twice at once.

    Raises DatabaseUnavailable.
    """
    with reachable(engine):
        command.upgrade(alembic_config(engine, schema), "head")
