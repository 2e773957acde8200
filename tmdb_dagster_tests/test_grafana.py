from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from tmdb_dagster.settings import REPOSITORY
from tmdb_dagster_tests.warehouse.database import rows
from tmdb_dagster_tests.warehouse.operated import operate

DASHBOARD = json.loads((REPOSITORY / "deploy/grafana/tmdb_dagster.json").read_text("utf8"))


def _as_grafana_sends_it(sql: str) -> str:
    """The query with Grafana's macros and the dashboard's variables replaced, for the last 30 days."""
    sql = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN now() - interval '30 days' AND now()", sql)
    for variable in DASHBOARD["templating"]["list"]:
        sql = sql.replace(f"${variable['name']}", str(variable.get("query")))
    assert "$" not in sql, f"nothing replaces this: {sql}"
    return sql


def test_every_panel_shows_something(engine: Engine) -> None:
    operate(engine)
    silent = []
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            found = rows(engine, _as_grafana_sends_it(target["rawSql"]))
            if not found:
                silent.append(panel["title"])
            elif target["format"] == "time_series":
                times = [row.time for row in found]
                assert all(isinstance(time, datetime) for time in times), panel["title"]
                assert times == sorted(times), panel["title"]
    assert silent == []


@pytest.mark.parametrize("part", ["panels", "targets"])
def test_every_query_goes_to_the_chosen_data_source(part: str) -> None:
    parts: list[dict[str, Any]] = DASHBOARD["panels"]
    if part == "targets":
        parts = [target for panel in parts for target in panel["targets"]]

    assert {one["datasource"]["uid"] for one in parts} == {"${datasource}"}
    kinds = {variable["name"]: variable["type"] for variable in DASHBOARD["templating"]["list"]}
    assert kinds["datasource"] == "datasource"


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert {x for x, _ in cells} == set(range(24))
