"""What a run left in Dagster's event log, in short."""

from __future__ import annotations

from typing import Any

from dagster import AssetKey, AssetMaterialization, DagsterInstance, ExecuteInProcessResult


def materializations(instance: DagsterInstance, asset: str) -> list[AssetMaterialization]:
    """The materialisations of an asset, newest first."""
    records = instance.fetch_materializations(AssetKey(asset), limit=1000).records
    return [record.asset_materialization for record in records if record.asset_materialization is not None]


def values(materialization: AssetMaterialization) -> dict[str, Any]:
    """Metadata as plain values."""
    return {name: value.value for name, value in materialization.metadata.items()}


def failure(result: ExecuteInProcessResult) -> str:
    """The one message that a failed run shows."""
    failures = [event.step_failure_data for event in result.all_node_events if event.is_step_failure]
    descriptions = [data.user_failure_data.description for data in failures if data.user_failure_data]
    assert not result.success
    assert len(failures) == len(descriptions) == 1
    return str(descriptions[0])


def warnings_of(instance: DagsterInstance, run_id: str) -> list[str]:
    """The warnings that a run logged."""
    return [record.user_message for record in instance.all_logs(run_id) if record.level_name == "WARNING"]
