"""In production each role starts with what it needs, and names what it lacks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tmdb_dagster.cli.process import become, dagster_home
from tmdb_dagster.services.errors import ServiceNotSet
from tmdb_dagster.services.provide import dagster_database_url, provide_database, provide_services
from tmdb_dagster.services.roles import ROLES
from tmdb_dagster.settings import REPOSITORY, environment, load_settings

SERVICES = {
    "DATABASE_URL": "postgresql://movies:word@127.0.0.1:1/catalogue",
    "DAGSTER_DATABASE_URL": "postgresql://movies:word@127.0.0.1:1/dagster",
    "TMDB_READ_ACCESS_TOKEN": "a-token",
    "MOVIE_IMAGES_STORE": "none",
    "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
}
# The law, written once more: what a role may be started without, and what not.
NEEDS = {
    "webserver": {"DAGSTER_DATABASE_URL"},
    "daemon": {"DAGSTER_DATABASE_URL"},
    "code-location": set(SERVICES) - {"CELERY_BROKER_URL"},
    "worker": set(SERVICES),
    "migrate": {"DATABASE_URL"},
}


def _start(role: str, folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Start a role, or with all that it needs let its command show its help."""
    command = [
        str(Path(sys.executable).parent / "tmdb-dagster"),
        *(["migrate"] if role == "migrate" else ["serve", role]),
    ]
    return subprocess.run(
        [*command, "--help"] if NEEDS[role] <= variables.keys() else command,
        cwd=folder,
        env={**os.environ, **variables, "TMDB_DAGSTER_ENV": "production", "TMDB_DAGSTER_STATE": str(folder / "state")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_role_is_tried_here_and_told_on_the_page_of_production() -> None:
    page = (REPOSITORY / "docs/production.md").read_text("utf8").partition("| role | is | needs |")[2]

    assert ROLES.keys() == NEEDS.keys()
    for role, needs in NEEDS.items():
        (row,) = re.findall(rf"^\| `{role}` \|.*\| (.*) \|$", page, re.MULTILINE)
        assert set(re.findall(r"`([A-Z_]+)`", row)) - {"TMDB_API_KEY", "MOVIE_IMAGES_FOLDER"} == needs, role


@pytest.mark.parametrize(("role", "variable"), [(role, name) for role in NEEDS for name in sorted(NEEDS[role])])
def test_a_role_without_one_of_its_services_names_it_and_starts_nothing(
    role: str, variable: str, tmp_path: Path
) -> None:
    done = _start(role, tmp_path, {name: value for name, value in SERVICES.items() if name != variable})

    assert done.returncode == 1
    assert done.stderr.startswith("Error: TMDB_DAGSTER_ENV is production, where nothing is provided. Missing: ")
    assert set(re.findall("|".join(SERVICES), re.sub("DAGSTER_ENV", "", done.stderr))) == {variable}
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("role", ["webserver", "daemon", "code-location"])
def test_a_role_starts_with_its_services_alone(role: str, tmp_path: Path) -> None:
    done = _start(role, tmp_path, {name: SERVICES[name] for name in NEEDS[role]})

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: {ROLES[role].command[0]} ")


def test_a_role_that_is_not_installed_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin/python"))  # an environment without commands

    with pytest.raises(click.ClickException, match=r"^celery is not installed: install the extra `celery`"):
        become(load_settings(tmdb_dagster_state=tmp_path / "state"), *ROLES["worker"].command)


def test_a_broker_that_a_file_names_reaches_celery(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "celery_broker_url").write_text(SERVICES["CELERY_BROKER_URL"])
    settings = load_settings(tmdb_dagster_state=tmp_path / "state", dagster_home=tmp_path)
    assert settings.celery_broker_url is None
    with environment(TMDB_DAGSTER_SECRETS=str(secrets)):
        settings = load_settings(tmdb_dagster_state=tmp_path / "state", dagster_home=tmp_path)

    with dagster_home(settings):
        assert os.environ["CELERY_BROKER_URL"] == SERVICES["CELERY_BROKER_URL"]
    assert "CELERY_BROKER_URL" not in os.environ


def test_all_that_is_missing_is_named_at_once() -> None:
    settings = load_settings(tmdb_dagster_env="production")

    with pytest.raises(ServiceNotSet, match=r"DATABASE_URL; TMDB: .*TMDB_API_KEY; a store of images: .*_FOLDER"):
        provide_services(settings)


def test_a_process_that_was_started_by_itself_is_provided_with_nothing(tmp_path: Path) -> None:
    settings = load_settings(tmdb_dagster_env="production", tmdb_dagster_state=tmp_path / "state")

    for provide in (provide_services, provide_database, dagster_database_url):
        with pytest.raises(ServiceNotSet):
            provide(settings)
    assert not (tmp_path / "state").exists()
