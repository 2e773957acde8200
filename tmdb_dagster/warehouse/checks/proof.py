"""The invariants: what must hold of a catalogue at any moment, whatever happened to runs, networks and machines.

How well things go, such as whether the last run succeeded, is no invariant: the other checks say it.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from tmdb_dagster.transform.health import Finding
from tmdb_dagster.warehouse.checks import CHECKS
from tmdb_dagster.warehouse.checks.check import Check, Redact, find
from tmdb_dagster.warehouse.checks.structure import STRUCTURE_CHECKS
from tmdb_dagster.warehouse.checks.tables import TABLE_CHECKS

_SHARED = (
    "complete_works_have_rows",
    "unique_tmdb_ids",
    "scores_in_range",
    "valid_cards",
    "no_stuck_works",
    "no_secret_in_logs",
)

INVARIANTS: tuple[Check, ...] = (*(CHECKS[name] for name in _SHARED), *STRUCTURE_CHECKS, *TABLE_CHECKS)


def prove(connection: Connection, redact: Redact) -> Iterator[Finding]:
    """Ask for every invariant, each as it holds when it is asked for."""
    for check in INVARIANTS:
        yield find(connection, check, redact=redact)
