"""A job that does nothing: what Dagster itself takes from start to end, on the same database."""

from dagster import Definitions, in_process_executor, job, op


@op
def nothing() -> None:
    """Do nothing."""


@job(executor_def=in_process_executor)
def empty() -> None:
    """One step that does nothing."""
    nothing()


defs = Definitions(jobs=[empty])
