"""Short ways through the pipeline."""

from __future__ import annotations

from collections.abc import Iterable

from tmdb_dagster.pipeline.enrich import enrich
from tmdb_dagster.pipeline.outcome import MovieOutcome
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.warehouse.claims import Target


def targets(tmdb_ids: Iterable[int]) -> list[Target]:
    return [Target(tmdb_id, f"Listed {tmdb_id}") for tmdb_id in tmdb_ids]


def enriched(run: Run, tmdb_ids: Iterable[int], *, force: bool = False) -> dict[int, MovieOutcome]:
    """What becomes of the movies, by TMDB id; each has one outcome."""
    found: list[MovieOutcome] = []
    enrich(run, targets(tmdb_ids), found.extend, force=force)
    assert len({outcome.tmdb_id for outcome in found}) == len(found)
    return {outcome.tmdb_id: outcome for outcome in found}


def ignore(_outcomes: list[MovieOutcome]) -> None:
    """For a test that reads the outcomes elsewhere."""


def some_movies(sandbox: SandboxServer, count: int) -> list[int]:
    """TMDB ids that the sandbox knows."""
    return list(sandbox.catalogue.ids[:count])
