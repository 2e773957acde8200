"""The job retention: what it removes from the catalogue and from Dagster's own history."""

from __future__ import annotations

from dagster import DagsterInstance, DagsterRunStatus
from sqlalchemy import Engine

from tmdb_dagster.defs.retention import remove_old_runs
from tmdb_dagster_tests.defs.conftest import Execute
from tmdb_dagster_tests.defs.events import materializations
from tmdb_dagster_tests.warehouse.database import execute as execute_sql

NOW_IS_OLD = -1 / 24


def _run_ids(instance: DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs()}


def test_the_job_removes_what_the_settings_call_old_and_says_how_much(
    execute: Execute, instance: DagsterInstance, engine: Engine
) -> None:
    execute_sql(
        engine,
        "INSERT INTO tmdb_api_logs (endpoint, created_at) "
        "VALUES ('old', now() - interval '91 days'), ('new', now() - interval '89 days')",
    )

    result = execute("retention")

    assert result.success
    removed = result.output_for_node("retention")
    assert (removed["tmdb_api_logs"], removed["refresh_queue"], removed["runs"]) == (1, 0, 0)
    assert _run_ids(instance) == {result.run_id}


def test_old_runs_go_with_their_events_and_each_assets_last_run_stays(
    execute: Execute, instance: DagsterInstance
) -> None:
    first = execute("ingest_movie", tmdb_id=603)
    last = execute("weekly_ingest", source="popular", max_movies=1, pages_per_source=1)
    unfinished = instance.create_run_for_job(job_def=last.job_def)
    assert instance.get_run_by_id(unfinished.run_id).status == DagsterRunStatus.NOT_STARTED  # type: ignore[union-attr]

    assert remove_old_runs(instance, days=1) == 0
    assert remove_old_runs(instance, days=NOW_IS_OLD) == 1

    assert _run_ids(instance) == {last.run_id, unfinished.run_id}
    assert instance.all_logs(first.run_id) == []
    (movie,) = materializations(instance, "movies")
    assert movie.partition != "603"
    assert materializations(instance, "works"), "the last of each table's materialisations stays"


def test_one_execution_removes_so_many_and_the_next_goes_on(execute: Execute, instance: DagsterInstance) -> None:
    runs = [execute("retention").run_id for _ in range(3)]

    assert remove_old_runs(instance, days=NOW_IS_OLD, at_most=2) == 2
    assert _run_ids(instance) == {runs[2]}
    assert remove_old_runs(instance, days=NOW_IS_OLD, at_most=2) == 1
