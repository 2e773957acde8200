from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from dagster_shared.yaml_utils import load_yaml_from_path
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url

from tmdb_dagster.settings import REPOSITORY
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster.warehouse.errors import AccessDenied
from tmdb_dagster.warehouse.migrate import migrate
from tmdb_dagster_tests.warehouse.database import execute, rows, value
from tmdb_dagster_tests.warehouse.operated import operate

GRAFANA = REPOSITORY / "deploy/grafana"
PROMETHEUS = REPOSITORY / "deploy/prometheus"
ROLE_SCRIPT = GRAFANA / "role.sql"
DASHBOARD = json.loads((GRAFANA / "tmdb_dagster.json").read_text("utf8"))
RELATIONS = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = ANY(:kinds)"


def _as_grafana_sends_it(sql: str) -> str:
    """The query with Grafana's macros and the dashboard's variables replaced, for the last 30 days."""
    sql = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN now() - interval '30 days' AND now()", sql)
    for variable in DASHBOARD["templating"]["list"]:
        sql = sql.replace(f"${variable['name']}", str(variable.get("query")))
    assert "$" not in sql, f"nothing replaces this: {sql}"
    return sql


@pytest.fixture
def grafana(engine: Engine, catalogue_url: str) -> Iterator[Engine]:
    """An operated catalogue, as the role of role.sql sees it."""
    operate(engine)
    _make_role(engine)
    as_role = connect(
        make_url(catalogue_url).set(username="tmdb_dagster_grafana").render_as_string(hide_password=False)
    )
    yield as_role
    as_role.dispose()


def _make_role(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as owner:
        owner.exec_driver_sql(ROLE_SCRIPT.read_text("utf8"), execution_options={"no_parameters": True})


def test_the_role_reads_every_view_for_operators_and_no_table(grafana: Engine, engine: Engine) -> None:
    views, tables = ({row.relname for row in rows(engine, RELATIONS, kinds=list(kinds))} for kinds in ("v", "rpm"))
    for_readers = {"v_cards"}
    views, tables = views - for_readers, tables | for_readers

    assert [view for view in sorted(views) if not rows(grafana, f"SELECT * FROM {view}")] == []
    let_in = set()
    for table in tables:
        try:
            rows(grafana, f"SELECT FROM {table} LIMIT 1")
        except AccessDenied:
            continue
        let_in.add(table)
    assert let_in == set()
    assert value(grafana, "SELECT current_user") == "tmdb_dagster_grafana"


def test_views_that_ask_as_their_owner_are_closed_to_supabases_public_roles(engine: Engine) -> None:
    with engine.connect() as owner:
        for role in ("anon", "authenticated"):
            if not owner.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}):
                owner.execute(text(f"CREATE ROLE {role} NOLOGIN"))
            owner.execute(text(f"GRANT ALL ON v_problems TO {role}"))
        owner.execute(text("GRANT SELECT ON v_problems TO PUBLIC"))
        script = ROLE_SCRIPT.read_text("utf8").replace("BEGIN;", "").replace("COMMIT;", "")
        owner.exec_driver_sql(script, execution_options={"no_parameters": True})

        allowed = owner.scalars(
            text("SELECT rolname FROM pg_roles WHERE NOT rolsuper AND has_table_privilege(oid, 'v_problems', 'SELECT')")
        )
        assert {role for role in allowed if not role.startswith("pg_")} == {"tmdb_dagster_grafana"}
        owner.rollback()


def test_a_migration_is_content_with_the_role_and_the_script_is_repeated_after_it(
    grafana: Engine, engine: Engine
) -> None:
    assert migrate(engine).steps == []

    execute(engine, "ALTER VIEW v_problems SET (security_invoker = true)")
    with pytest.raises(AccessDenied):
        rows(grafana, "SELECT * FROM v_problems")
    _make_role(engine)
    assert rows(grafana, "SELECT * FROM v_problems")


def test_alerts_and_collectors_ask_what_the_role_may_read(grafana: Engine) -> None:
    alerting: Any = load_yaml_from_path(str(GRAFANA / "provisioning/alerting/tmdb_dagster.yaml"))
    source: Any = load_yaml_from_path(str(GRAFANA / "provisioning/datasources/tmdb_dagster.yaml"))
    rules = [rule for group in alerting["groups"] for rule in group["rules"]]

    for rule in rules:
        asked, compared = rule["data"]
        assert asked["datasourceUid"] == source["datasources"][0]["uid"]
        assert (compared["refId"], compared["model"]["expression"]) == (rule["condition"], asked["refId"])
        [found, *_] = rows(grafana, asked["model"]["rawSql"])
        # Grafana takes texts for labels, and wants one number.
        assert [type(cell) for cell in found] == [str, str, str, int]
        assert set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) <= set(found._fields)
    assert len({rule["uid"] for rule in rules}) == len(rules)

    collector: Any = load_yaml_from_path(str(PROMETHEUS / "tmdb_dagster.collector.yml"))
    for metric in collector["metrics"]:
        [found, *_] = rows(grafana, metric["query"])
        assert list(found._fields) == [*metric.get("key_labels", []), *metric["values"]]
        float(found[-1])
    known = {metric["metric_name"] for metric in collector["metrics"]}
    alerts: Any = load_yaml_from_path(str(PROMETHEUS / "alerts.yml"))
    for alert in alerts["groups"][0]["rules"]:
        assert set(re.findall(r"tmdb_dagster_\w+", alert["expr"])) <= known


def test_every_panel_shows_something(grafana: Engine) -> None:
    silent = []
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            found = rows(grafana, _as_grafana_sends_it(target["rawSql"]))
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
