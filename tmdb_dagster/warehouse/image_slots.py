"""Who may have a connection to the image hosts: a row each, which all runs and processes on one database share."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from tmdb_dagster.warehouse.engine import patiently
from tmdb_dagster.warehouse.leases import lease_lives

_LIVE = lease_lives("c.claimed_by")

# Not waiting for the disk: a slot that a crash loses is found lost at the next review.
_TAKE = text(f"""
    SET LOCAL synchronous_commit = off;
    UPDATE image_connections SET claimed_by = :run_id
    WHERE slot = (
        SELECT c.slot FROM image_connections c WHERE c.claimed_by IS NULL OR NOT {_LIVE}
        LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING slot
""")  # noqa: S608 - constants only
_KEEP = text("""
    SET LOCAL synchronous_commit = off;
    UPDATE image_connections SET claimed_by = NULL WHERE claimed_by = :run_id AND NOT slot = ANY(:slots)
""")
# Where all slots are taken, a run gives back what it has beyond an equal share, and a quarter of its slots where
# a run at work has none: nobody knows whether that one waits.
_REVIEW = text(f"""
    WITH slots AS (
        SELECT c.slot, c.claimed_by = :run_id AS mine, CASE WHEN {_LIVE} THEN c.claimed_by END AS run_id
        FROM image_connections c
    ), figures AS (
        SELECT count(*)::numeric AS slots, count(run_id) AS taken, count(DISTINCT run_id) AS runs,
            count(*) FILTER (WHERE mine) AS mine,
            EXISTS (
                SELECT FROM run_leases l WHERE l.run_id <> :run_id AND l.expires_at > clock_timestamp()
                    AND NOT EXISTS (SELECT FROM slots s WHERE s.run_id = l.run_id)
            ) AS others
        FROM slots
    )
    SELECT ARRAY(SELECT slot FROM slots WHERE mine) AS mine,
        CASE WHEN taken < slots THEN 0
            WHEN others THEN ceil(mine / 4.0)
            ELSE greatest(0, mine - ceil(slots / runs))
        END::integer AS surplus
    FROM figures
""")  # noqa: S608 - constants only

_log = logging.getLogger(__name__)


class ImageSlots:
    """One run's share of the connections; a `tmdb_dagster.images.connections.Slots`. A slot counts as its lease."""

    def __init__(self, engine: Engine, run_id: str) -> None:
        self._engine = engine
        self._run_id = run_id

    def take(self) -> int | None:
        """A free slot, if there is one. Raises what the database raises."""
        return patiently(self._take)

    def _take(self) -> int | None:
        with self._engine.begin() as connection:
            slot: int | None = connection.scalar(_TAKE, {"run_id": self._run_id})
            return slot

    def keep(self, slots: Sequence[int]) -> tuple[frozenset[int], int] | None:
        """Keep these slots and give back all others.

        Returns those that are the run's, and how many of them other runs should have; None where the database does
        not answer.
        """
        try:
            with self._engine.begin() as connection:
                connection.execute(_KEEP, {"run_id": self._run_id, "slots": list(slots)})
                row = connection.execute(_REVIEW, {"run_id": self._run_id}).one()
        except SQLAlchemyError:
            _log.warning("The run's image connections could not be reviewed; trying again", exc_info=True)
            return None
        return frozenset(row.mine), row.surplus
