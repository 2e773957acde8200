"""Dagster's events of many movies, recorded at the cost of a few."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from dagster import AssetMaterialization, AssetObservation, OpExecutionContext
from dagster._core.events import DagsterEvent, DagsterEventBatchMetadata

from tmdb_dagster.settings import environment


def log_events(context: OpExecutionContext, events: Sequence[AssetMaterialization | AssetObservation]) -> None:
    """Record events of one asset and one kind as `context.log_event` records each, in one transaction for all.

    Dagster has no public way: without its own one, which it uses for partitions, each is a transaction. Unlike those of
    `context.log_event` they are not held in memory until the step ends, so the results of a step do not list them.
    """
    step, batch_id = context.get_step_execution_context(), uuid.uuid4().hex
    # The size at which Dagster stores a batch that has not ended; unset, it stores each event for itself.
    with environment(DAGSTER_EVENT_BATCH_SIZE=str(len(events))):
        for number, event in enumerate(events, start=1):
            batch = DagsterEventBatchMetadata(batch_id, is_end=number == len(events))
            if isinstance(event, AssetObservation):
                DagsterEvent.asset_observation(step, event, batch)
            else:
                DagsterEvent.asset_materialization(step, event, batch)
