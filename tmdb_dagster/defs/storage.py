"""Where Dagster keeps what it knows: runs, events and schedules in Postgres, files in the state folder.

The settings say where these are, so that dagster.yaml is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster._config.config_schema import UserConfigSchema
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage


class SettingsPostgresStorage(DagsterPostgresStorage):
    """DagsterPostgresStorage at the address that the settings name."""

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


class StateArtifactStorage(LocalArtifactStorage):
    """LocalArtifactStorage in the state folder."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """No configuration of its own."""
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003 - Dagster passes it by position
    ) -> StateArtifactStorage:
        """Dagster's entry."""
        return cls(_state("dagster"), inst_data=inst_data)


class StateComputeLogManager(LocalComputeLogManager):
    """LocalComputeLogManager in the state folder."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """No configuration of its own."""
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003 - Dagster passes it by position
    ) -> StateComputeLogManager:
        """Dagster's entry."""
        return cls(_state("dagster", "logs"), inst_data=inst_data)


def _state(*parts: str) -> str:
    from tmdb_dagster.settings import load_settings

    return str(load_settings().tmdb_dagster_state.joinpath(*parts))
