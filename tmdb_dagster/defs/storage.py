"""Where Dagster keeps runs, events and schedules: Postgres, and without a setting the embedded one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster._config.config_schema import UserConfigSchema
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage


class SettingsPostgresStorage(DagsterPostgresStorage):
    """DagsterPostgresStorage at the address that the settings name, so that dagster.yaml works on every machine."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """No configuration of its own."""
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003 - Dagster passes it by position
    ) -> SettingsPostgresStorage:
        """Dagster's entry; starts the embedded Postgres where no address is set."""
        from tmdb_dagster.services.provide import dagster_database_url
        from tmdb_dagster.settings import load_settings

        return cls(dagster_database_url(load_settings()), inst_data=inst_data)
