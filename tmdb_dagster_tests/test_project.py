"""What several files of the repository must say alike."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest

from tmdb_dagster.settings import REPOSITORY


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf8"))


@pytest.fixture(scope="module")
def pythons(project: dict[str, Any]) -> list[str]:
    """The supported versions of Python, by `requires-python`."""
    found = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["project"]["requires-python"])
    assert found is not None
    return [f"3.{minor}" for minor in range(int(found[1]), int(found[2]))]


def test_the_supported_pythons_are_those_that_are_tested_and_told(project: dict[str, Any], pythons: list[str]) -> None:
    told = "Programming Language :: Python :: "
    tested = re.search(
        r"^ +python: (\[.*\])$", (REPOSITORY / ".github/workflows/test.yaml").read_text("utf8"), re.MULTILINE
    )

    assert tested is not None
    assert json.loads(tested[1]) == pythons
    assert [line.removeprefix(told) for line in project["project"]["classifiers"] if line.startswith(told)] == pythons
    for name in ("README.md", "Makefile"):
        assert f"Python {pythons[0]} to {pythons[-1]}" in (REPOSITORY / name).read_text("utf8"), name


def test_the_linters_and_the_locks_are_for_the_oldest_python(project: dict[str, Any], pythons: list[str]) -> None:
    oldest = pythons[0]

    assert project["tool"]["ruff"]["target-version"] == "py" + oldest.replace(".", "")
    assert project["tool"]["mypy"]["python_version"] == oldest
    assert f"--python-version {oldest} " in (REPOSITORY / "Makefile").read_text("utf8")


def test_a_server_is_locked_without_the_newcomers_extra(project: dict[str, Any]) -> None:
    extra = [re.split(r"[<>=\[]", line)[0] for line in project["project"]["optional-dependencies"]["local"]]
    server, local, dev = (
        # Without what is for one system or one version of Python.
        set(
            re.findall(r"^([a-z0-9.-]+)(?:\[[a-z,]+\])?==[^;\n]*$", (REPOSITORY / name).read_text("utf8"), re.MULTILINE)
        )
        for name in ("requirements.lock", "requirements-local.lock", "requirements-dev.lock")
    )

    assert server.isdisjoint(extra)
    assert local >= {*extra, *server}
    assert dev >= local
