"""A run of a version that is newer than the database: in an upgrade workers may be replaced before it is migrated."""

from __future__ import annotations

import logging
import time

from sqlalchemy import Engine

from tmdb_dagster.warehouse.engine import check_schema
from tmdb_dagster.warehouse.errors import SchemaBehind
from tmdb_dagster.warehouse.leases import RunLease

MIGRATION_WAIT_S = 15 * 60
"""A run waits so long for the migration. Then it fails; what a schedule started is started again later."""

_ASK_EVERY_S = 2

_log = logging.getLogger(__name__)


def await_migration(engine: Engine, *, run_id: str, job: str) -> None:
    """Return once this version may run on the tables; a run that waits for it holds its lease, and claims nothing.

    Raises SchemaBehind where nobody has migrated within MIGRATION_WAIT_S, and at once what else check_schema does.
    """
    try:
        check_schema(engine)
    except SchemaBehind as behind:
        _log.warning("run waits for the migration", extra={"reason": str(behind), "at_most_s": MIGRATION_WAIT_S})
    else:
        return
    with RunLease(engine, run_id=run_id, job=job):
        deadline = time.monotonic() + MIGRATION_WAIT_S
        while True:
            time.sleep(_ASK_EVERY_S)
            try:
                check_schema(engine)
            except SchemaBehind:
                if time.monotonic() > deadline:
                    raise
            else:
                break
    _log.info("the database is migrated")
