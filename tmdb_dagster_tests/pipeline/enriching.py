"""Short ways through the pipeline."""

from __future__ import annotations

from collections.abc import Iterable

from tmdb_dagster.pipeline.enrich import MovieOutcome, enrich
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.warehouse.claims import Target


def targets(tmdb_ids: Iterable[int]) -> list[Target]:
    return [Target(tmdb_id, f"Listed {tmdb_id}") for tmdb_id in tmdb_ids]


def enriched(run: Run, tmdb_ids: Iterable[int], *, force: bool = False) -> dict[int, MovieOutcome]:
    """What becomes of the movies, by TMDB id; each has one outcome."""
    found = [outcome for outcomes in enrich(run, targets(tmdb_ids), force=force) for outcome in outcomes]
    assert len({outcome.tmdb_id for outcome in found}) == len(found)
    return {outcome.tmdb_id: outcome for outcome in found}


def some_movies(sandbox: SandboxServer, count: int) -> list[int]:
    """TMDB ids that the sandbox knows."""
    return list(sandbox.catalogue.ids[:count])
