from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tmdb_dagster.warehouse import leases
from tmdb_dagster.warehouse.leases import LEASE_S, RunLease, step_lease
from tmdb_dagster_tests.warehouse.database import execute, rows, until, value

LEFT = "SELECT extract(epoch FROM expires_at - clock_timestamp())::float8 FROM run_leases WHERE run_id = 'run-1'"


def opened(engine: Engine) -> RunLease:
    return RunLease(engine, run_id="run-1", job="weekly_ingest")


def test_a_run_has_a_lease_while_it_lives(engine: Engine) -> None:
    with opened(engine):
        [row] = rows(engine, "SELECT run_id, job FROM run_leases")
        assert tuple(row) == ("run-1", "weekly_ingest")
        assert LEASE_S - 5 < value(engine, LEFT) <= LEASE_S

    assert rows(engine, "SELECT 1 FROM run_leases") == []


def test_the_lease_is_renewed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEW_EVERY_S", 0.02)
    with opened(engine):
        execute(engine, "UPDATE run_leases SET expires_at = clock_timestamp() - interval '1 hour'")
        until(lambda: value(engine, LEFT) > 0, "a renewal")


def test_a_database_that_fails_for_a_while_does_not_end_the_renewing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(leases, "RENEW_EVERY_S", 0.02)
    with opened(engine):
        execute(engine, "ALTER TABLE run_leases RENAME TO elsewhere")
        until(lambda: "could not be renewed" in caplog.text, "a failure")
        execute(engine, "UPDATE elsewhere SET expires_at = clock_timestamp() - interval '1 hour'")
        execute(engine, "ALTER TABLE elsewhere RENAME TO run_leases")
        until(lambda: value(engine, LEFT) > 0, "a renewal")


def test_a_lease_handed_over_lasts_until_it_expires(engine: Engine) -> None:
    with opened(engine) as lease:
        execute(engine, "UPDATE run_leases SET expires_at = clock_timestamp() + interval '1 second'")
        lease.hand_over()

    assert value(engine, LEFT) > LEASE_S - 5


def test_the_lease_ends_with_a_run_that_fails(engine: Engine) -> None:
    with pytest.raises(KeyError), opened(engine):
        raise KeyError

    assert rows(engine, "SELECT 1 FROM run_leases") == []


def test_a_step_that_claims_nothing_hands_on_what_was_handed_over_to_it(engine: Engine) -> None:
    with step_lease(engine, run_id="run-1", job="ops_report"):
        assert value(engine, LEFT) > 0
    assert rows(engine, "SELECT 1 FROM run_leases") == []

    with opened(engine) as lease:
        lease.hand_over()
    with step_lease(engine, run_id="run-1", job="weekly_ingest"):
        assert value(engine, LEFT) > 0
    assert value(engine, LEFT) > LEASE_S - 5
