"""What must hold of the catalogue, each check once: name, asset, severity, what holds, advice, query.

Dagster's asset checks, `tmdb-dagster status`, the operator's report and the view v_problems ask this list, so that they
never disagree. A check is written in data.py if it is about the data, in upkeep.py if it is about the work that keeps
it, and in calls.py if it is about the calls to TMDB. What only `tmdb-dagster check` asks is in structure.py and
tables.py, and proof.py says which checks are invariants. Figures that judge nothing belong in health.py. Begin with
check.py. The edit of a cheap check comes with a revision, which may be empty, so that v_problems follows it.
"""

from __future__ import annotations

from sqlalchemy import Connection

from tmdb_dagster.transform.health import Finding
from tmdb_dagster.warehouse.checks.calls import CALL_CHECKS
from tmdb_dagster.warehouse.checks.check import Check, find
from tmdb_dagster.warehouse.checks.data import DATA_CHECKS
from tmdb_dagster.warehouse.checks.upkeep import UPKEEP_CHECKS

CHECKS: dict[str, Check] = {check.name: check for check in (*UPKEEP_CHECKS, *CALL_CHECKS, *DATA_CHECKS)}


def problems(connection: Connection) -> list[Finding]:
    """What the cheap checks find wrong now, what needs a person first."""
    found = [find(connection, check) for check in CHECKS.values() if check.cheap]
    return sorted((one for one in found if not one.passed), key=lambda one: one.severity)
