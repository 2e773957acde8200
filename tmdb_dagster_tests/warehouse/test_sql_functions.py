from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import Engine

from tmdb_dagster.transform.movie import SCHEMA_VERSION
from tmdb_dagster_tests.warehouse.database import add_work, execute, rows, value

# Days since release (negative: until release), and after how many days such a movie is due.
TIERS: dict[int | None, int] = {
    -400: 2,
    -1: 2,
    0: 2,
    30: 2,
    31: 7,
    180: 7,
    181: 14,
    365: 14,
    366: 30,
    36_500: 30,
    None: 30,
}


def complete_work(engine: Engine, tmdb_id: int, *, released: int | None, version: int | None) -> int:
    """A complete work, refreshed now, of the year that lies so many days back."""
    today = value(engine, "SELECT (now() AT TIME ZONE 'utc')::date")
    day = None if released is None else today - timedelta(days=released)
    work_id = add_work(engine, tmdb_id, ingestion_status="complete", release_date=day)
    execute(engine, "UPDATE works SET last_refreshed_at = now() WHERE work_id = :work_id", work_id=work_id)
    if version is not None:
        execute(
            engine,
            "INSERT INTO works_meta (work_id, schema_version) VALUES (:work_id, :version)",
            work_id=work_id,
            version=version,
        )
    return work_id


def test_a_work_is_stale_by_the_tier_of_its_age(engine: Engine) -> None:
    for tmdb_id, (released, days) in enumerate(TIERS.items(), start=1):
        complete_work(engine, tmdb_id, released=released, version=SCHEMA_VERSION)
        execute(
            engine,
            "UPDATE works SET last_refreshed_at = now() - make_interval(days => :days, mins => -10) "
            "WHERE tmdb_id = :tmdb_id",
            tmdb_id=str(tmdb_id),
            days=days,
        )
    is_stale = "SELECT tmdb_id, is_stale(work_id) AS stale FROM works ORDER BY work_id"
    assert {row.tmdb_id: row.stale for row in rows(engine, is_stale)} == {
        str(number): False for number in range(1, len(TIERS) + 1)
    }

    execute(engine, "UPDATE works SET last_refreshed_at = last_refreshed_at - interval '10 minutes'")

    assert all(row.stale for row in rows(engine, is_stale))
    found = rows(engine, "SELECT calculate_staleness_days(release_date => release_date) FROM works ORDER BY work_id")
    assert [row[0] for row in found] == list(TIERS.values())


def test_never_refreshed_or_of_an_old_schema_version_is_stale(engine: Engine) -> None:
    def stale(work_id: int) -> object:
        return value(engine, "SELECT is_stale(:work_id)", work_id=work_id)

    current = complete_work(engine, 1, released=1000, version=SCHEMA_VERSION)
    assert stale(current) is False
    assert stale(complete_work(engine, 2, released=1000, version=SCHEMA_VERSION + 1)) is False
    assert stale(complete_work(engine, 3, released=1000, version=SCHEMA_VERSION - 1)) is True
    assert stale(complete_work(engine, 4, released=1000, version=None)) is True

    execute(engine, "UPDATE works_meta SET schema_version = NULL WHERE work_id = :work_id", work_id=current)
    assert stale(current) is True

    execute(engine, "UPDATE works_meta SET schema_version = :version", version=SCHEMA_VERSION)
    execute(engine, "UPDATE works SET last_refreshed_at = NULL")
    assert stale(current) is True


def test_clients_call_by_the_parameter_names_that_they_know(engine: Engine) -> None:
    assert value(engine, "SELECT is_stale(work_id_input => 1)") is None, "an unknown work is neither stale nor fresh"
    assert value(engine, "SELECT calculate_staleness_days(release_date => :day)", day=date(2000, 1, 1)) == 30


def test_the_database_and_the_rules_agree_on_the_schema_version(engine: Engine) -> None:
    assert value(engine, "SELECT current_schema_version()") == SCHEMA_VERSION


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue"])
def test_the_tiers_do_not_depend_on_the_sessions_time_zone(engine: Engine, zone: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(f"SET LOCAL TIME ZONE '{zone}'")
        days = "SELECT calculate_staleness_days((now() AT TIME ZONE 'utc')::date - {})"
        assert connection.exec_driver_sql(days.format(30)).scalar() == 2
        assert connection.exec_driver_sql(days.format(31)).scalar() == 7


def test_a_query_that_asks_a_function_may_use_several_processors(engine: Engine) -> None:
    serial = "proparallel <> 's' AND provolatile <> 'v' AND prokind = 'f' AND pronamespace = 'public'::regnamespace"

    assert rows(engine, f"SELECT proname FROM pg_proc WHERE {serial}") == []
