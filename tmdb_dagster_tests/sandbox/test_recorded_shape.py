"""Where recorded TMDB responses are at hand: the sandbox's bodies have the same keys, with compatible types."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tmdb_dagster.clock import utc_now
from tmdb_dagster.sandbox.catalogue import PARTS as OWN_PARTS
from tmdb_dagster.sandbox.catalogue import Catalogue

RECORDED = Path(__file__).resolve().parents[3] / "shared/data/tmdb"

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="recorded TMDB responses are not on this machine")

Shape = dict[str, set[str]]


def _note(shape: Shape, path: str, value: Any) -> None:
    """Note the JSON type at each path; list positions and country codes are one path."""
    if isinstance(value, dict):
        for key, part in value.items():
            _note(shape, f"{path}.{'XX' if len(key) == 2 and key.isupper() else key}", part)
    elif isinstance(value, list):
        shape[path].add("list")
        for part in value:
            _note(shape, f"{path}[]", part)
    else:
        kind = type(value).__name__
        shape[path].add("number" if kind in ("int", "float") else kind)


def _shape(bodies: Iterable[Any]) -> Shape:
    shape: Shape = defaultdict(set)
    for body in bodies:
        _note(shape, "", body)
    return shape


def _recorded(kind: str) -> list[Any]:
    """What was recorded of it alone, and else what was recorded as a part of a movie."""
    return _bodies(kind) or [body[kind] for body in _bodies("append") if kind in body]


def _bodies(folder: str) -> list[Any]:
    files = sorted(RECORDED.glob(f"{folder}/*.json"))
    return [json.loads(file.read_text()) for file in files if not file.name.endswith(".headers.json")]


def _ours(catalogue: Catalogue, kind: str) -> list[Any]:
    ids = catalogue.ids[::8]
    today = utc_now().date()
    if kind.startswith("list_"):
        name: Any = {"list_popular": "popular", "list_now_playing": "now_playing"}.get(kind, "trending")
        return [orjson.loads(catalogue.list_page(name, page).plain) for page in range(1, 6)]
    if kind == "changes_list":
        return [catalogue.changes_page(today, today, 1)]
    if kind == "detail":
        return [orjson.loads(catalogue.body(movie_id, (), None).plain) for movie_id in ids]
    part = kind.replace("watch_", "watch/")
    return [orjson.loads(catalogue.part(movie_id, part, None).plain) for movie_id in ids]


@pytest.mark.parametrize(
    "kind",
    [
        "detail",
        *(part.replace("/", "_") for part in OWN_PARTS),
        "list_popular",
        "list_now_playing",
        "list_trending_week",
        "changes_list",
    ],
)
def test_bodies_have_every_recorded_key_and_its_types(catalogue: Catalogue, kind: str) -> None:
    recorded, ours = _shape(_recorded(kind)), _shape(_ours(catalogue, kind))
    assert recorded
    assert sorted(set(recorded) - set(ours)) == []
    for path, kinds in recorded.items():
        assert ours[path] & kinds, path
        # Null is a value of ours only where it was recorded, or where TMDB is known to give it.
        if "NoneType" not in kinds:
            assert "NoneType" not in ours[path] or path.rpartition(".")[2] in _NULL_ELSEWHERE, path


_NULL_ELSEWHERE = {"gender", "iso_639_1", "poster_path", "backdrop_path", "id", "logo_path"} | {
    f"{service}_id" for service in ("imdb", "wikidata", "facebook", "instagram", "twitter")
}
