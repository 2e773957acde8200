"""Recorded answers of TMDB, where they lie beside this checkout."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tmdb_dagster.tmdb.parts import PARTS

SAMPLES = Path(__file__).resolve().parents[2] / "shared/data/tmdb"
DETAILS = ("append", "detail")

needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="no recorded answers beside this checkout")


def samples(*kinds: str) -> list[Path]:
    found = (path for kind in kinds for path in sorted((SAMPLES / kind).glob("*.json")))
    return [path for path in found if not path.name.endswith(".headers.json")]


def read(path: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return body


def sample_name(path: Path) -> str:
    return f"{path.parent.name}/{path.name[:40]}"


def recorded_parts() -> list[tuple[str, Path]]:
    return [(part, path) for part in PARTS for path in samples(part.replace("/", "_"))]


def combined(body: dict[str, Any]) -> dict[str, Any]:
    """The movie with its separately recorded parts appended."""
    return {**_parts_by_id().get(body["id"], {}), **body}


@cache
def _parts_by_id() -> dict[int, dict[str, Any]]:
    """Of each movie id: what was recorded of its parts."""
    found: dict[int, dict[str, Any]] = {}
    for part, path in recorded_parts():
        content = read(path)
        found.setdefault(content.get("id", 0), {})[part] = content
    return found
