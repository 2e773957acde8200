"""Jobs as an operator starts them: `dagster job execute` in processes of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance, DagsterRunStatus, config_from_files
from sqlalchemy import Engine, text

from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import REPOSITORY
from tmdb_dagster_tests.defs.conftest import StartJob

TIMEOUT_S = 120


def test_a_job_runs_by_its_example_and_dagster_remembers_it(
    start_job: StartJob, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = config_from_files([str(REPOSITORY / "examples/ingest_movie.yaml")])

    process = start_job("ingest_movie", example)

    assert process.wait(TIMEOUT_S) == 0, (tmp_path / "output").read_text("utf8")
    with engine.begin() as connection:
        movie = connection.execute(text("SELECT tmdb_id, ingestion_status FROM works")).one()
        run_id = connection.scalar(text("SELECT metadata ->> 'run_id' FROM tmdb_api_logs"))
    assert tuple(movie) == ("603", "complete")
    with DagsterInstance.from_config(str(REPOSITORY)) as instance:
        run = instance.get_run_by_id(str(run_id))
        records = instance.fetch_materializations(AssetKey("movies"), limit=1000).records
    assert run is not None
    assert (run.job_name, run.status) == ("ingest_movie", DagsterRunStatus.SUCCESS)
    assert run.remote_job_origin is not None, "the UI's timeline leaves it out"
    assert run.remote_job_origin.location_name == "tmdb_dagster.definitions"
    assert [record.partition_key for record in records if record.run_id == run_id] == ["603"]


def test_a_run_that_fails_ends_with_one_sentence_and_no_frames(
    start_job: StartJob, sandbox: SandboxServer, tmp_path: Path
) -> None:
    process = start_job("ingest_movie", {"ops": {"ingest_movie": {"config": {"tmdb_id": 2_000_000_000}}}})

    assert process.wait(TIMEOUT_S) == 1
    output = (tmp_path / "output").read_text("utf8")
    *_, last = output.splitlines()
    assert last.startswith("Movie 2000000000 could not be ingested: /movie/2000000000: TMDB answered 404: ")
    assert "RUN_FAILURE" in output
    assert "Stack Trace" not in output
    assert "site-packages/dagster/_core" not in output


def test_two_ingests_at_once_share_the_rate_limit_and_the_movies(
    start_job: StartJob, engine: Engine, tmp_path: Path
) -> None:
    with SandboxServer(movies=300, latency_ms=(20, 60), rate_limit="20/5s") as judge:
        # The run that is first asks for its movies when the other has begun, however slowly that one starts.
        judge.faults.add(Fault("/(movie/[a-z_]+|trending/.+)", "delay", delay_s=5, times=1))
        environment = {"TMDB_API_URL": judge.api_url, "TMDB_RATE_LIMIT": "20/5s"}
        processes = [
            start_job(
                "weekly_ingest",
                {"ops": {"ingest_candidates": {"config": {"source": source, "max_movies": 20, "pages_per_source": 1}}}},
                **environment,
            )
            for source in ("popular", "mixed_weekly")
        ]
        codes = [process.wait(TIMEOUT_S) for process in processes]
        stats = judge.stats

    assert codes == [0, 0], (tmp_path / "output").read_text("utf8")
    assert (stats.violations, stats.rate_limited) == (0, 0)
    with engine.begin() as connection:
        runs = connection.execute(
            text("""
                SELECT min(created_at) AS first, max(created_at) AS last
                FROM tmdb_api_logs GROUP BY metadata ->> 'run_id' ORDER BY first
            """)
        ).all()
        calls_a_movie = connection.scalars(
            text("SELECT count(*) FROM tmdb_api_logs WHERE tmdb_id IS NOT NULL GROUP BY tmdb_id")
        ).all()
        statuses = connection.scalars(text("SELECT ingestion_status FROM works")).all()
        failed = connection.scalar(text("SELECT sum(movies_failed) FROM scheduled_ingestion_log"))
    assert len(runs) == 2
    assert runs[1].first < runs[0].last, "they did not run at once"
    assert stats.calls > 20, "the limit was not reached"
    assert set(calls_a_movie) == {1}, "a movie was asked for twice"
    assert set(statuses) == {"complete"}
    assert len(statuses) == len(calls_a_movie)
    assert failed == 0
