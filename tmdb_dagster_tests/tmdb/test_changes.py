from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.tmdb.changes import parse_changes_page
from tmdb_dagster.tmdb.client import TmdbClient
from tmdb_dagster.tmdb.errors import InvalidResponse
from tmdb_dagster_tests.recorded import read, sample_name, samples

from .conftest import MakeProbe


def page(*ids: Any, **fields: Any) -> dict[str, Any]:
    return {"results": [{"id": one, "adult": None} for one in ids], "page": 1, "total_pages": 1, **fields}


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (page(), set()),
        (page(1, 2, 2), {1, 2}),
        (page(1, None), {1}),
        (page(None), set()),
        (page(1, "2", 0, -3, True, 4.5), {1}),
        ({"results": [{"id": 1}, None, [], "x", {}], "total_pages": 1}, {1}),
        (page(1, total_pages=0, total_results="x", new="key"), {1}),
    ],
)
def test_a_page_is_the_ids_on_it(body: object, ids: set[int]) -> None:
    assert parse_changes_page(body).ids == ids


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"results": None, "total_pages": 1},
        {"results": []},
        page(1, total_pages=None),
        page(1, total_pages="1"),
        page(1, total_pages=-1),
        page(1, total_pages=True),
        page("1", "2"),
    ],
)
def test_what_could_hide_changes_is_no_page(body: object) -> None:
    with pytest.raises(InvalidResponse, match="page of changes"):
        parse_changes_page(body)


@pytest.mark.parametrize("path", samples("changes_list"), ids=sample_name)
def test_recorded_pages_are_read_whole(path: Path) -> None:
    raw = read(path)
    found = parse_changes_page(raw)
    assert found.ids == {row["id"] for row in raw["results"] if row["id"] is not None}
    assert found.total_pages == raw["total_pages"]


def test_a_page_from_the_sandbox(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    probe = make_probe(sandbox.api_url)

    found = TmdbClient(probe.transport).changes_page(date(2026, 11, 1), date(2026, 11, 3), 1)

    assert found.ids
    (call,) = probe.calls
    assert call.query_params == {"start_date": "2026-11-01", "end_date": "2026-11-03", "page": 1}


def test_an_unusable_page_names_its_endpoint(sandbox: SandboxServer, make_probe: MakeProbe) -> None:
    sandbox.faults.add(Fault("/movie/changes", "body", body={"results": "none"}))
    with pytest.raises(InvalidResponse, match=r"^/movie/changes: "):
        TmdbClient(make_probe(sandbox.api_url).transport).changes_page(date(2026, 11, 1), date(2026, 11, 1), 1)
