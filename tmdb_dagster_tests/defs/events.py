"""What a run left in Dagster's event log, in short."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from dagster import AssetKey, AssetMaterialization, AssetObservation, DagsterEvent, DagsterInstance


def materializations(instance: DagsterInstance, asset: str) -> list[AssetMaterialization]:
    """The materialisations of an asset, newest first."""
    records = instance.fetch_materializations(AssetKey(asset), limit=1000).records
    return [record.asset_materialization for record in records if record.asset_materialization is not None]


def observations(instance: DagsterInstance, asset: str) -> list[AssetObservation]:
    """The observations of an asset, newest first."""
    records = instance.fetch_observations(AssetKey(asset), limit=1000).records
    return [record.asset_observation for record in records if record.asset_observation is not None]


def metadata(event: AssetMaterialization | AssetObservation) -> dict[str, Any]:
    """An event's metadata as plain values."""
    return {name: value.value for name, value in event.metadata.items()}


def failures(events: Iterable[DagsterEvent]) -> list[str | None]:
    """What the UI shows as the reason of each failed step."""
    data = [event.step_failure_data for event in events if event.is_step_failure]
    return [one.user_failure_data.description if one.user_failure_data else None for one in data]


def warnings_in(instance: DagsterInstance, run_id: str) -> list[str]:
    """The warnings that a run logged."""
    return [entry.user_message for entry in instance.all_logs(run_id) if int(entry.level) == logging.WARNING]
