from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import Engine

from tmdb_dagster.transform.movie import SCHEMA_VERSION
from tmdb_dagster_tests.warehouse.database import add_work, execute, value


def work(engine: Engine, *, released: int | None, refreshed: float | None, version: int | None) -> int:
    """A complete work released and refreshed so many days ago (negative: in days to come)."""
    today = value(engine, "SELECT (now() AT TIME ZONE 'utc')::date")
    work_id = add_work(
        engine,
        603,
        ingestion_status="complete",
        release_date=None if released is None else today - timedelta(days=released),
    )
    execute(
        engine,
        "UPDATE works SET last_refreshed_at = now() - CAST(:days AS float8) * interval '1 day'",
        days=refreshed,
    )
    if version is not None:
        execute(
            engine,
            "INSERT INTO works_meta (work_id, schema_version) VALUES (:work_id, :version)",
            work_id=work_id,
            version=version,
        )
    return work_id


@pytest.mark.parametrize(
    ("released", "days"),
    [
        pytest.param(-400, 2, id="announced for next year"),
        pytest.param(-1, 2, id="tomorrow"),
        pytest.param(0, 2, id="today"),
        (30, 2),
        (31, 7),
        (180, 7),
        (181, 14),
        (365, 14),
        (366, 30),
        (36_500, 30),
        pytest.param(None, 30, id="unknown"),
    ],
)
def test_a_work_is_stale_by_the_tier_of_its_age(engine: Engine, released: int | None, days: int) -> None:
    work_id = work(engine, released=released, refreshed=days - 0.01, version=SCHEMA_VERSION)
    assert value(engine, "SELECT is_stale(:work_id)", work_id=work_id) is False

    execute(engine, "UPDATE works SET last_refreshed_at = last_refreshed_at - interval '0.01 days'")

    assert value(engine, "SELECT is_stale(:work_id)", work_id=work_id) is True
    assert value(engine, "SELECT calculate_staleness_days(release_date => release_date) FROM works") == days


@pytest.mark.parametrize(
    ("refreshed", "version", "stale"),
    [
        (0.0, SCHEMA_VERSION, False),
        (0.0, SCHEMA_VERSION + 1, False),
        (0.0, SCHEMA_VERSION - 1, True),
        pytest.param(0.0, None, True, id="no row in works_meta"),
        pytest.param(None, SCHEMA_VERSION, True, id="never refreshed"),
    ],
)
def test_never_refreshed_or_of_an_old_schema_version_is_stale(
    engine: Engine, refreshed: float | None, version: int | None, stale: bool
) -> None:
    work_id = work(engine, released=1000, refreshed=refreshed, version=version)

    assert value(engine, "SELECT is_stale(:work_id)", work_id=work_id) is stale


def test_a_schema_version_that_is_null_is_stale(engine: Engine) -> None:
    work_id = work(engine, released=1000, refreshed=0, version=SCHEMA_VERSION)
    execute(engine, "UPDATE works_meta SET schema_version = NULL")

    assert value(engine, "SELECT is_stale(:work_id)", work_id=work_id) is True


def test_clients_call_by_the_parameter_names_that_they_know(engine: Engine) -> None:
    execute(
        engine,
        "SELECT is_stale(work_id_input => 1), calculate_staleness_days(release_date => :day)",
        day=date(2020, 1, 1),
    )


def test_an_unknown_work_is_neither_stale_nor_fresh(engine: Engine) -> None:
    assert value(engine, "SELECT is_stale(work_id_input => 1)") is None


def test_the_database_and_the_rules_agree_on_the_schema_version(engine: Engine) -> None:
    assert value(engine, "SELECT current_schema_version()") == SCHEMA_VERSION


def test_the_tiers_do_not_depend_on_the_sessions_time_zone(engine: Engine) -> None:
    seen = set()
    for zone in ("Pacific/Kiritimati", "Pacific/Niue"):
        with engine.begin() as connection:
            connection.exec_driver_sql(f"SET LOCAL TIME ZONE '{zone}'")
            days = "SELECT calculate_staleness_days((now() AT TIME ZONE 'utc')::date - 30)"
            seen.add(connection.exec_driver_sql(days).scalar())
    assert seen == {2}
