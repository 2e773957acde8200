"""What the scores assume of a movie before its votes: one value for the whole catalogue."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, text

from tmdb_dagster.transform.score import DEFAULT_PRIOR, METHOD_V2, PRIOR_VOTES, ScorePrior
from tmdb_dagster.warehouse.transaction import run_transaction

# Below this many rated movies their mean says little of movies in general.
ENOUGH_RATED_MOVIES = 100

_COMPUTE = text("""
    INSERT INTO score_prior (method_version, mean, votes, computed_at)
    SELECT :method_version, mean, :votes, clock_timestamp()
    FROM (
        SELECT avg(value_raw) AS mean, count(*) AS movies FROM rating_sources
        WHERE source_name = 'TMDB' AND value_raw IS NOT NULL AND votes_count >= :votes
    ) AS rated
    WHERE movies >= :enough
    ON CONFLICT (method_version) DO UPDATE SET
        mean = EXCLUDED.mean, votes = EXCLUDED.votes, computed_at = EXCLUDED.computed_at
""")


def score_prior(engine: Engine, *, update: bool = False) -> ScorePrior:
    """What scores assume before votes, as stored; `update` computes it anew from the catalogue first."""
    if update:
        run_transaction(engine, update_score_prior, METHOD_V2, PRIOR_VOTES)
    stored = run_transaction(engine, read_score_prior, METHOD_V2)
    return DEFAULT_PRIOR if stored is None else ScorePrior(*stored)


def update_score_prior(connection: Connection, method_version: str, votes: float) -> None:
    """Set the mean rating from the catalogue, where it has enough rated movies; it counts as `votes` votes."""
    connection.execute(_COMPUTE, {"method_version": method_version, "votes": votes, "enough": ENOUGH_RATED_MOVIES})


def read_score_prior(connection: Connection, method_version: str) -> tuple[float, float] | None:
    """The mean (0 to 10) and the votes that it counts as; None where the catalogue was always too small."""
    row = connection.execute(
        text("SELECT mean, votes FROM score_prior WHERE method_version = :method_version"),
        {"method_version": method_version},
    ).one_or_none()
    return None if row is None else (row.mean, row.votes)
