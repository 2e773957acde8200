"""Retention: the job that removes old logs and history, the catalogue's and Dagster's own."""

from datetime import timedelta

from dagster import DagsterInstance, DagsterRunStatus, OpExecutionContext, Out, Output, RunsFilter, op

from tmdb_dagster.clock import utc_now
from tmdb_dagster.defs.resources import CatalogueResource

RUNS_AT_MOST = 1000
"""Runs that one execution removes; the next goes on."""

_FINISHED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


@op(out=Out(dict))
def retention(context: OpExecutionContext, catalogue: CatalogueResource) -> Output[dict[str, int]]:
    """Remove what the RETENTION settings call old, and what TMDB said of movies that it has long not known."""
    from tmdb_dagster.warehouse.retention import forget_gone_works, remove_old_rows

    with catalogue.database(context) as (engine, settings):
        removed = remove_old_rows(
            engine, log_days=settings.retention_log_days, history_days=settings.retention_history_days
        )
        removed["content of gone works"] = forget_gone_works(engine)
        removed["runs"] = remove_old_runs(context.instance, days=settings.retention_run_days)
    return Output(removed, metadata=removed)


def remove_old_runs(instance: DagsterInstance, *, days: float, at_most: int = RUNS_AT_MOST) -> int:
    """Remove finished runs with their events and output, the oldest first, but for each asset's last run.

    Returns how many.
    """
    last_runs = {
        record.asset_entry.last_materialization.run_id
        for record in instance.get_asset_records()
        if record.asset_entry.last_materialization
    }
    filters = RunsFilter(statuses=_FINISHED, updated_before=utc_now() - timedelta(days=days))
    records = instance.get_run_records(filters, limit=at_most + len(last_runs), ascending=True)
    old = [record.dagster_run.run_id for record in records if record.dagster_run.run_id not in last_runs][:at_most]
    for run_id in old:
        instance.delete_run(run_id)
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    return len(old)
