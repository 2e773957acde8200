"""Which checks a run evaluates, and what Dagster is told of them."""

from __future__ import annotations

from dagster import AssetCheckEvaluation, AssetCheckSeverity, DagsterInstance, Definitions
from sqlalchemy import Engine

from tmdb_dagster.defs.checks import INGEST_CHECKS
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import Settings
from tmdb_dagster.warehouse.checks import CHECKS
from tmdb_dagster_tests.defs.conftest import Execute
from tmdb_dagster_tests.defs.events import failures, materializations
from tmdb_dagster_tests.warehouse.database import claimed_work, fetched_movie, value, write
from tmdb_dagster_tests.warehouse.database import execute as sql


def _evaluations(instance: DagsterInstance, run_id: str) -> dict[str, AssetCheckEvaluation]:
    events = [event.dagster_event for event in instance.all_logs(run_id)]
    found = [
        event.asset_check_evaluation_data
        for event in events
        if event and event.event_type_value == "ASSET_CHECK_EVALUATION"
    ]
    return {one.check_name: one for one in found}


def test_an_ingest_checks_what_it_wrote_alone(execute: Execute, instance: DagsterInstance, engine: Engine) -> None:
    write(engine, fetched_movie(claimed_work(engine, 603), id=603))
    sql(engine, "UPDATE aggregates SET ai_score = 101")
    sql(engine, "UPDATE works SET last_refreshed_at = now() - interval '7 months'")

    result = execute("weekly_ingest", source="popular", max_movies=2, pages_per_source=1)

    found = _evaluations(instance, result.run_id)
    assert set(found) == {key.name for key in INGEST_CHECKS}
    assert [name for name, one in found.items() if not one.passed] == []
    assert found["valid_cards"].metadata["cards checked"].value == 2


def test_all_checks_run_on_demand(
    code_location: Definitions, instance: DagsterInstance, engine: Engine, settings: Settings
) -> None:
    write(engine, fetched_movie(claimed_work(engine, 603), id=603))
    sql(engine, "UPDATE aggregates SET ai_score = 101")
    sql(engine, "UPDATE works SET last_refreshed_at = now() - interval '7 months'")

    result = code_location.resolve_job_def("data_quality").execute_in_process(instance=instance)

    found = _evaluations(instance, result.run_id)
    assert set(found) == {key.name for key in code_location.resolve_asset_graph().asset_check_keys}
    failed = {name: one.severity for name, one in found.items() if not one.passed}
    assert failed == {
        "scores_in_range": AssetCheckSeverity.ERROR,
        "refreshed_within_six_months": AssetCheckSeverity.ERROR,
    }
    assert found["scores_in_range"].metadata["scores out of range"].value == 2
    assert "Run rebuild_from_raw" in str(found["scores_in_range"].description)
    assert found["unique_tmdb_ids"].description is None


def test_a_check_whose_query_fails_takes_no_other_along(
    code_location: Definitions, instance: DagsterInstance, engine: Engine, settings: Settings
) -> None:
    sql(engine, "ALTER TABLE rating_sources RENAME COLUMN value_raw TO value_before")
    sql(engine, "INSERT INTO works (tmdb_id, title) VALUES ('7', 'Older'), ('07', 'Younger')")

    result = code_location.resolve_job_def("data_quality").execute_in_process(instance=instance)

    found = _evaluations(instance, result.run_id)
    assert set(found) == set(CHECKS)
    assert {name for name, one in found.items() if not one.passed} == {"scores_in_range", "unique_tmdb_ids"}
    broken = found["scores_in_range"]
    assert (broken.severity, "value_raw" in str(broken.description)) == (AssetCheckSeverity.ERROR, True)
    assert "tmdb-dagster migrate" in str(broken.description)


def test_candidates_that_make_no_sense_are_not_asked_for(
    execute: Execute, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    sql(
        engine,
        """CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN NEW.title := ' '; RETURN NEW; END $$;
        CREATE TRIGGER spoil BEFORE INSERT ON ingest_candidates FOR EACH ROW WHEN (NEW.rank = 2)
        EXECUTE FUNCTION spoil()""",
    )

    result = execute("weekly_ingest", source="popular", max_movies=3, pages_per_source=1)

    found = _evaluations(instance, result.run_id)["sound_candidates"]
    assert not result.success
    assert (found.passed, found.severity, found.blocking) == (False, AssetCheckSeverity.ERROR, True)
    assert sandbox.stats.by_endpoint == {"/movie/popular": 1}, "no movie is asked for"
    assert value(engine, "SELECT count(*) FROM works") == 0
    assert materializations(instance, "works") == []


def test_a_list_with_a_hole_is_a_warning(execute: Execute, instance: DagsterInstance, sandbox: SandboxServer) -> None:
    whole = execute("weekly_ingest", source="popular", max_movies=1, pages_per_source=2)
    assert _evaluations(instance, whole.run_id)["complete_lists"].passed
    sandbox.faults.add(Fault("/movie/popular", "status", status=404, times=1))

    result = execute("weekly_ingest", source="popular", max_movies=1, pages_per_source=2)

    assert failures(result.all_events) == []
    found = _evaluations(instance, result.run_id)["complete_lists"]
    assert (found.passed, found.severity) == (False, AssetCheckSeverity.WARN)
    assert "popular: 20 movies on 1 of 2 pages" in str(found.metadata["examples"].value)
