"""The files of a deployment, as far as they can be checked without an engine."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, QueuedRunCoordinator
from dagster_shared.yaml_utils import load_yaml_from_path

from tmdb_dagster.services.roles import ROLES
from tmdb_dagster.settings import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
BIN = Path(sys.executable).parent
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
SECRETS = {"POSTGRES_PASSWORD": "a", "S3_ACCESS_KEY": "b", "S3_SECRET_KEY": "c", "TMDB_READ_ACCESS_TOKEN": "d"}
LAUNCHERS = {"DefaultRunLauncher": (), "CeleryRunLauncher": ("celery/launcher.yaml",)}


def _run(*command: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(env or {})}, check=False)


def _compose(*options: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return _run(BIN / "docker-compose", "--project-directory", DEPLOY, *options, "config", "--format", "json", env=env)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services of the compose file, with all profiles, as compose understands it."""
    found = _compose("--profile", "celery", "--profile", "readonly", env=SECRETS)
    assert found.stderr == ""  # this compose tells an error there, and ends with 0
    read: dict[str, Any] = json.loads(found.stdout)["services"]
    return read


def _home(folder: Path, parts: tuple[str, ...]) -> Path:
    """A folder with the dagster.yaml of a deployment, put together as the image does it."""
    (folder / "dagster.yaml").write_text(
        "".join((DEPLOY / part).read_text("utf8") for part in ("dagster.yaml", *parts))
    )
    return folder


@pytest.fixture(params=LAUNCHERS.items(), ids=lambda item: item[0])
def deployed(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_database: Any
) -> tuple[DagsterInstance, str]:
    """Dagster's instance by these files, and the launcher that it is to have."""
    name, parts = request.param
    monkeypatch.setenv("TMDB_DAGSTER_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DAGSTER_DATABASE_URL", new_database())
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("CELERY_RESULT_BACKEND", "redis://127.0.0.1:1/1")
    return DagsterInstance.from_config(str(_home(tmp_path, parts))), name


def test_dagster_takes_the_instances_file(deployed: tuple[DagsterInstance, str]) -> None:
    instance, launcher = deployed

    assert type(instance.run_launcher).__name__ == launcher
    assert isinstance(instance.run_coordinator, QueuedRunCoordinator)
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_max_resume_run_attempts == 0
    assert not instance.telemetry_enabled


def test_redis_gives_a_run_to_another_worker_before_dagster_fails_it(deployed: tuple[DagsterInstance, str]) -> None:
    instance, _ = deployed
    worker = runpy.run_path(str(DEPLOY / "celery/dagster_celery_config.py"))

    assert worker["broker_transport_options"]["visibility_timeout"] < instance.run_monitoring_start_timeout_seconds


def test_a_worker_is_set_as_it_must_be() -> None:
    env = {"PYTHONPATH": str(DEPLOY / "celery"), "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"}
    names = [
        "broker_url",
        "worker_redirect_stdouts",
        "worker_hijack_root_logger",
        "worker_disable_prefetch",
        "task_acks_late",
    ]
    code = (
        f"import json; from dagster_celery.app import app; print(json.dumps([getattr(app.conf, n) for n in {names}]))"
    )

    found = _run(sys.executable, "-c", code, env=env)

    assert json.loads(found.stdout) == ["redis://127.0.0.1:1/0", False, False, True, False], found.stderr


def test_a_worker_writes_each_line_once_and_without_secrets() -> None:
    code = """if True:
        import logging
        from dagster_celery.app import app
        app.log.setup(loglevel="INFO")  # as a worker begins
        from tmdb_dagster.logs import configure_logging
        from tmdb_dagster.settings import load_settings
        configure_logging("json", load_settings().redact)  # as a run begins
        logging.getLogger("tmdb_dagster.pipeline").info("of a run")
        logging.getLogger("celery.worker").info("of Celery, which knows a-token", extra={"data": {"kwargs": "much"}})
    """
    env = {"PYTHONPATH": str(DEPLOY / "celery"), "LOG_FORMAT": "json", "TMDB_READ_ACCESS_TOKEN": "a-token"}

    found = _run(sys.executable, "-c", code, env=env)

    lines = [json.loads(line) for line in found.stderr.splitlines()]
    assert [line.keys() for line in lines] == [{"time", "level", "event", "logger"}] * 2
    assert [(line["event"], line["logger"]) for line in lines] == [
        ("of a run", "tmdb_dagster.pipeline"),
        ("of Celery, which knows [redacted]", "celery.worker"),
    ]


def test_dagsters_tools_for_workers_find_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster_celery.cli import get_validated_config

    monkeypatch.setenv("CELERY_BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("CELERY_RESULT_BACKEND", "redis://127.0.0.1:1/1")

    config = get_validated_config(str(DEPLOY / "celery/worker.yaml"))

    assert (config["broker"], config["backend"]) == ("redis://127.0.0.1:1/0", "redis://127.0.0.1:1/1")


def test_the_image_is_described_as_hadolint_wants_it() -> None:
    found = _run(BIN / "hadolint", DEPLOY / "Dockerfile")

    assert (found.returncode, found.stdout) == (0, "")


@pytest.mark.parametrize("name", SECRETS)
def test_compose_names_a_secret_that_is_missing(name: str) -> None:
    found = _compose("--profile", "celery", env={**SECRETS, name: ""})

    assert f"required variable {name} is missing" in found.stderr


def test_every_role_of_compose_is_locked_down_and_no_secret_goes_where_it_is_not_needed(
    services: dict[str, Any],
) -> None:
    ours = {name: service for name, service in services.items() if service["image"] == "tmdb-dagster:dev"}

    assert {
        command[2] for command in (s["command"] for s in ours.values()) if command[:2] == ["tmdb-dagster", "serve"]
    } == {name for name, role in ROLES.items() if role.command}
    assert [name for name, service in ours.items() if not service["read_only"] or service["cap_drop"] != ["ALL"]] == []
    asking = {name for name, service in ours.items() if "TMDB_READ_ACCESS_TOKEN" in service["environment"]}
    assert asking == {"code-location", "worker"}


def test_what_compose_publishes_is_reached_from_the_machine_alone(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]

    assert published != []
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}


def test_kubernetes_takes_the_job_that_migrates() -> None:
    found = _run(BIN / "kubernetes-validate", "--strict", DEPLOY / "helm/migrate-job.yaml")

    assert found.returncode == 0, found.stdout + found.stderr


def test_the_chart_is_set_as_one_machine_is() -> None:
    chart: Any = load_yaml_from_path(str(DEPLOY / "helm/values.yaml"))
    instance: Any = load_yaml_from_path(str(DEPLOY / "dagster.yaml"))

    assert chart["dagsterDaemon"]["runMonitoring"] == {
        "enabled": instance["run_monitoring"]["enabled"],
        "startTimeoutSeconds": instance["run_monitoring"]["start_timeout_seconds"],
        "pollIntervalSeconds": instance["run_monitoring"]["poll_interval_seconds"],
        "maxResumeRunAttempts": instance["run_monitoring"]["max_resume_run_attempts"],
    }
    assert chart["retention"]["sensor"]["purgeAfterDays"] == instance["retention"]["sensor"]["purge_after_days"]
    assert chart["computeLogManager"]["config"]["customComputeLogManager"] == instance["compute_logs"]


def test_every_file_that_an_operator_is_told_to_use_is_there() -> None:
    text = (REPOSITORY / "docs/production.md").read_text("utf8")
    told = set(re.findall(r"\bdeploy/[\w./*-]*\w", text))

    assert {"deploy/dagster.yaml", "deploy/systemd/*.service", "deploy/celery/launcher.yaml"} <= told
    assert [path for path in told if not list(REPOSITORY.glob(path))] == []


def test_a_unit_is_there_for_every_role() -> None:
    assert {unit.stem.removeprefix("tmdb-dagster-") for unit in UNITS} == set(ROLES)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        # Neither the program nor its user is on this machine.
        text = (
            unit.read_text("utf8").replace("/opt/tmdb-dagster/bin/", str(BIN) + "/").replace("User=tmdb-dagster\n", "")
        )
        (tmp_path / unit.name).write_text(text)

    found = _run("systemd-analyze", "verify", *(tmp_path / unit.name for unit in UNITS))

    assert (found.returncode, found.stderr) == (0, "")
