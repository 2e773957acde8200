from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tmdb_dagster.warehouse.scores import ENOUGH_RATED_MOVIES, read_score_prior, update_score_prior
from tmdb_dagster_tests.warehouse.database import execute

VOTES = 25.0


def rate(engine: Engine, first: int, last: int, value: float, *, votes: int, source: str = "TMDB") -> None:
    """Ratings for works with these numbers, which are made."""
    execute(
        engine,
        """WITH added AS (
            INSERT INTO works (tmdb_id, title) SELECT n::text, 'x' FROM generate_series(:first, :last) AS n
            ON CONFLICT (tmdb_id) DO UPDATE SET title = 'x' RETURNING work_id
        ) INSERT INTO rating_sources (work_id, source_name, value_raw, votes_count)
        SELECT work_id, :source, :value, :votes FROM added""",
        first=first,
        last=last,
        value=value,
        votes=votes,
        source=source,
    )


def updated(engine: Engine) -> tuple[float, float] | None:
    with engine.begin() as connection:
        update_score_prior(connection, "v2", VOTES)
        return read_score_prior(connection, "v2")


def test_a_small_catalogue_has_no_prior(engine: Engine) -> None:
    rate(engine, 1, ENOUGH_RATED_MOVIES - 1, 7, votes=1000)

    assert updated(engine) is None


def test_the_prior_is_the_mean_of_movies_with_enough_votes(engine: Engine) -> None:
    rate(engine, 1, ENOUGH_RATED_MOVIES // 2, 6, votes=25)
    rate(engine, ENOUGH_RATED_MOVIES // 2 + 1, ENOUGH_RATED_MOVIES, 7, votes=5000)
    rate(engine, 1001, 1100, 1, votes=24)
    rate(engine, 1, 100, 10, votes=5000, source="Letterboxd")

    assert updated(engine) == pytest.approx((6.5, VOTES))


def test_the_prior_follows_the_catalogue_and_stays_when_it_shrinks(engine: Engine) -> None:
    rate(engine, 1, 200, 6, votes=100)
    assert updated(engine) == pytest.approx((6, VOTES))

    execute(engine, "UPDATE rating_sources SET value_raw = 8")
    assert updated(engine) == pytest.approx((8, VOTES))

    execute(engine, "DELETE FROM works WHERE work_id > 10")
    assert updated(engine) == pytest.approx((8, VOTES))


def test_methods_have_priors_of_their_own(engine: Engine) -> None:
    rate(engine, 1, 100, 6, votes=100)
    updated(engine)

    with engine.begin() as connection:
        assert read_score_prior(connection, "v3") is None
