from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest
from dagster import (
    AssetKey,
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
    ExecuteInProcessResult,
    build_run_status_sensor_context,
    build_sensor_context,
)
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest
from dagster._core.test_utils import create_run_for_test
from sqlalchemy import Engine

from tmdb_dagster.clock import utc_now
from tmdb_dagster.defs.resources import CatalogueResource
from tmdb_dagster.defs.sensors import (
    rescue_dead_work,
    run_failure_alert,
)
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.defs.conftest import Execute
from tmdb_dagster_tests.defs.events import materializations, metadata
from tmdb_dagster_tests.serving import answering
from tmdb_dagster_tests.warehouse.database import add_work, rows, take_lease, value
from tmdb_dagster_tests.warehouse.database import execute as change

DRAIN = "drain_refresh_queue"


def _age_all(engine: Engine) -> None:
    change(engine, "UPDATE works SET last_refreshed_at = last_refreshed_at - interval '31 days'")


def test_a_daily_refresh_shows_what_it_did(
    execute: Execute, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    execute("weekly_ingest", source="popular", max_movies=5, pages_per_source=1)
    _age_all(engine)

    result = execute("daily_refresh", batch_size=2, max_items=3)

    assert result.success
    figures = result.output_for_node("daily_refresh")
    assert figures["stale works queued"] == 5
    assert (figures["entries taken"], figures["entries completed"]) == (3, 3)
    [refresh] = map(metadata, materializations(instance, "daily_refresh"))
    assert refresh["unchanged"] == 3
    assert refresh["TMDB calls"] == figures["pages of changes"] + 3
    [queue] = map(metadata, materializations(instance, "refresh_queue"))
    assert queue == {
        "queue: due": 2,
        "queue: queued": 2,
        "queue: processing": 0,
        "queue: given up": 0,
        "queue: oldest (h)": pytest.approx(0, abs=0.1),
    }
    assert len(materializations(instance, "movies")) == 5 + 3
    works = [metadata(found) for found in materializations(instance, "works")]
    assert works == [{"dagster/row_count": 5}] * 2
    [ingest] = map(metadata, materializations(instance, "weekly_ingest"))
    assert (ingest["ingested"], ingest["unchanged"]) == (5, 0)

    assert execute(DRAIN).output_for_node(DRAIN)["entries completed"] == 2
    [drain] = map(metadata, materializations(instance, DRAIN))
    assert (drain["unchanged"], drain["entries completed"]) == (2, 2)
    assert len(materializations(instance, "daily_refresh")) == 1, "a drain is no daily refresh"
    assert rows(engine, "SELECT kind FROM v_run_history ORDER BY ended_at") == [("ingest",), ("refresh",), ("drain",)]
    assert (
        value(engine, "SELECT trigger_type FROM scheduled_ingestion_log ORDER BY created_at DESC LIMIT 1") == "manual"
    )
    assert value(engine, "SELECT count(*) FROM works WHERE is_stale(work_id)") == 0


@pytest.mark.parametrize(("job", "config"), [("daily_refresh", {"max_items": 0}), (DRAIN, {"batch_size": -1})])
def test_senseless_config_is_refused_before_anything_is_done(
    execute: Execute, engine: Engine, sandbox: SandboxServer, job: str, config: dict[str, int]
) -> None:
    result = execute(job, **config)
    assert not result.success
    assert sandbox.stats.calls == 0
    assert rows(engine, "SELECT FROM scheduled_ingestion_log") == []


def test_an_ingest_and_a_daily_refresh_at_once_never_share_a_movie(
    execute: Execute, code_location: Definitions, engine: Engine, sandbox: SandboxServer
) -> None:
    execute("weekly_ingest", source="popular", max_movies=20, pages_per_source=1)
    _age_all(engine)
    change(engine, "UPDATE works SET ingestion_status = 'pending' WHERE work_id % 2 = 0")
    sandbox.reset()
    jobs = {"daily_refresh": {"use_changes": False}, "batch_ingest": {"limit": 50}}
    results: dict[str, bool] = {}

    def run(job: str) -> None:
        results[job] = (
            code_location.resolve_job_def(job)
            .execute_in_process(run_config={"ops": {job: {"config": jobs[job]}}}, raise_on_error=False)
            .success
        )

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == {"daily_refresh": True, "batch_ingest": True}
    assert sandbox.stats.calls == 20
    assert set(rows(engine, "SELECT ingestion_status FROM works")) == {("complete",)}
    assert set(rows(engine, "SELECT status FROM refresh_queue")) == {("completed",)}


def test_the_work_of_dead_runs_is_taken_back(
    instance: DagsterInstance, engine: Engine, settings_environment: dict[str, str]
) -> None:
    run = create_run_for_test(instance, job_name=DRAIN, status=DagsterRunStatus.STARTED)
    take_lease(engine, run.run_id, seconds=-1)
    add_work(engine, 1, ingestion_status="ingesting", claimed_by=run.run_id, status_before_claim="complete")
    add_work(engine, 2, ingestion_status="ingesting")
    add_work(engine, 3, ingestion_status="failed", retry_at=utc_now() - timedelta(hours=1))
    change(
        engine,
        "INSERT INTO refresh_queue (work_id, status, claimed_by) "
        "SELECT work_id, 'processing', :run_id FROM works WHERE tmdb_id = '1'",
        run_id=run.run_id,
    )

    rescue_dead_work(build_sensor_context(instance=instance), catalogue=CatalogueResource())

    assert dict(rows(engine, "SELECT tmdb_id, ingestion_status FROM works")) == {
        "1": "complete",
        "2": "pending",
        "3": "failed",
    }
    queued = "SELECT tmdb_id, status FROM refresh_queue JOIN works USING (work_id) ORDER BY 1"
    assert rows(engine, queued) == [("1", "queued"), ("2", "queued"), ("3", "queued")]


class _Webhook(BaseHTTPRequestHandler):
    received: ClassVar[list[dict[str, str]]] = []
    status = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append(json.loads(body))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def webhook() -> Iterator[str]:
    """The address of a webhook that takes alerts."""
    _Webhook.received, _Webhook.status = [], 200
    server = HTTPServer(("127.0.0.1", 0), _Webhook)
    with answering(server):
        yield f"http://127.0.0.1:{server.server_port}/hooks/secret-token"


def _alert(result: ExecuteInProcessResult, instance: DagsterInstance) -> None:
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    context = build_run_status_sensor_context(
        sensor_name="run_failure_alert",
        dagster_instance=instance,
        dagster_run=run,
        dagster_event=result.get_run_failure_event(),
    ).for_run_failure()
    run_failure_alert(context)


def test_a_failed_run_is_told_to_the_webhook(
    execute: Execute,
    instance: DagsterInstance,
    sandbox: SandboxServer,
    webhook: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox.faults.add(Fault("/movie/603", "status", status=404))
    result = execute("ingest_movie", tmdb_id=603)
    _alert(result, instance)
    assert _Webhook.received == [], "off by default"

    monkeypatch.setenv("ALERT_WEBHOOK_URL", webhook)
    _alert(result, instance)

    [alert] = _Webhook.received
    assert alert["text"].startswith(f"Run {result.run_id} of ingest_movie failed. Movie 603 could not be ingested")
    assert "test-key" not in alert["text"]

    for _Webhook.status in (500, 302):
        with pytest.raises(Exception, match="ALERT_WEBHOOK_URL") as refused:
            _alert(result, instance)
        assert "secret-token" not in str(refused.value)


def test_a_failed_run_of_an_asset_is_told_by_its_key(
    code_location: Definitions,
    settings_environment: dict[str, str],
    instance: DagsterInstance,
    webhook: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALERT_WEBHOOK_URL", webhook)
    result = code_location.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[AssetKey("candidates")], instance=instance, raise_on_error=False
    )

    _alert(result, instance)

    [alert] = _Webhook.received
    assert alert["text"].startswith(f"Run {result.run_id} of candidates failed. No snapshot of popular")


def test_what_reads_a_table_is_not_unsynced_after_each_run(
    execute: Execute, instance: DagsterInstance, code_location: Definitions, engine: Engine, sandbox: SandboxServer
) -> None:
    execute("weekly_ingest", source="popular", max_movies=2, pages_per_source=1)
    execute("ops_report")
    _age_all(engine)

    execute("daily_refresh")
    execute("ingest_movie", tmdb_id=603)

    graph = code_location.resolve_asset_graph()
    resolver = CachingStaleStatusResolver(instance, graph, loading_context=LoadingContextForTest(instance))
    unsynced = {key for key in graph.get_all_asset_keys() if resolver.get_status(key) == StaleStatus.STALE}
    assert unsynced == set()
