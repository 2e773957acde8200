"""What several files of the repository must say alike."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from pathlib import Path
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
    assert local >= set(extra)
    assert dev >= {*local, *server}


_DOCUMENTS = sorted({*REPOSITORY.glob("*.md"), *REPOSITORY.glob("*/**/*.md")} - {*REPOSITORY.glob(".*/**/*.md")})


@pytest.mark.parametrize("document", _DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_link_to_a_file_leads_to_one(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text("utf8"))

    assert [link for link in links if "://" not in link and not (document.parent / link).exists()] == []


def test_every_decision_says_its_context_its_alternatives_and_its_price() -> None:
    folder = REPOSITORY / "docs/adr"
    index = (folder / "README.md").read_text("utf8")
    decisions = sorted(folder.glob("[0-9]*.md"))

    for number, decision in enumerate(decisions, start=1):
        text = decision.read_text("utf8")
        title, status = re.findall(r"^(?:# (.*)|Status: (.*))$", text, re.MULTILINE)
        assert title[0].startswith(f"{number}. "), decision.name
        assert re.findall("^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Alternatives", "Price"]
        assert f"| [{number}]({decision.name}) | {title[0].split('. ', 1)[1]} | {status[1]} |" in index


def test_the_picture_of_the_rooms_shows_all_that_the_law_of_imports_names(project: dict[str, Any]) -> None:
    layers = next(contract for contract in project["tool"]["importlinter"]["contracts"] if contract["type"] == "layers")
    names = re.findall(r"tmdb_dagster\.(\w+)", " ".join(layers["layers"]))
    pictures = re.findall(
        r"^```mermaid$(.*?)^```$", (REPOSITORY / "docs/architecture.md").read_text("utf8"), re.MULTILINE | re.DOTALL
    )

    assert [name for name in names if not re.search(rf"\b{name}\b", pictures[1])] == []


def test_every_room_opens_with_its_charter() -> None:
    """What belongs there, what does not, and where to begin."""
    rooms = sorted(path.parent for path in (REPOSITORY / "tmdb_dagster").glob("*/__init__.py"))

    assert len(rooms) >= 10
    for room in rooms:
        charter = ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf8"))) or ""
        begin = re.findall(r"`([a-z_/]+\.py)`", charter.partition("Begin ")[2])
        assert begin, f"{room.name}: where to begin is not said"
        assert [name for name in begin if not (room / name).exists()] == []
