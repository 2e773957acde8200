"""rating_sources and aggregates."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmdb_dagster.transform.card import card_row
from tmdb_dagster.transform.score import ScorePrior, aggregate_rows, v1_score, v2_score
from tmdb_dagster_tests.transform.builders import PRIOR, WORK_ID, transformed


def test_the_rating_is_tmdbs_own() -> None:
    assert transformed(vote_average=7.432, vote_count=1234).rating == {
        "work_id": WORK_ID,
        "source_name": "TMDB",
        "scale_type": "0_10",
        "value_raw": 7.432,
        "value_0_100": 74.32,
        "votes_count": 1234,
    }


def test_a_whole_number_is_a_vote_average_too() -> None:
    rating = transformed(vote_average=7, vote_count=None).rating
    assert rating is not None
    assert (rating["value_raw"], rating["value_0_100"], rating["votes_count"]) == (7.0, 70.0, 0)


@pytest.mark.parametrize("value", [None, "7,4", 11, -1, True, []])
def test_without_a_usable_vote_average_there_is_no_rating_and_the_prior_is_the_score(value: object) -> None:
    movie = transformed(vote_average=value, vote_count=500)
    assert movie.rating is None
    v1, v2 = movie.aggregates
    assert (v1["ai_score"], v1["ai_score_low"], v1["ai_score_high"]) == (None, None, None)
    assert v2["ai_score"] == PRIOR.mean * 10
    assert v1["audience_score"] is v2["audience_score"] is None
    assert card_row(movie)["payload"]["source_scores"] == {"tmdb": {"score": 0.0, "votes": 500}}


@pytest.mark.parametrize(
    ("vote_average", "expected"),
    [
        (7.432, (74.32, 69.32, 79.32)),
        (9.8, (98.0, 93.0, 100.0)),
        (10, (100.0, 95.0, 100.0)),
        (0.2, (2.0, 0.0, 7.0)),
        (0.0, (0.0, 0.0, 5.0)),
        (None, (None, None, None)),
    ],
)
def test_v1(vote_average: float | None, expected: tuple[float | None, ...]) -> None:
    assert v1_score(vote_average) == expected


def test_v2_by_hand() -> None:
    # (80 * 8 + 20 * 6.5) / 100 = 7.7; 1.96 * 2 / sqrt(100) = 0.392
    assert v2_score(8.0, 80, ScorePrior(6.5, 20)) == (77.0, 73.08, 80.92)
    # no votes: the prior, and 1.96 * 2 / sqrt(4) = 1.96
    assert v2_score(0.0, 0, ScorePrior(6.5, 4)) == (65.0, 45.4, 84.6)


def test_aggregate_rows_name_their_method_and_inputs() -> None:
    v1, v2 = transformed(vote_average=8.0, vote_count=80).aggregates
    assert (v1["method_version"], v2["method_version"]) == ("v1_2025_11", "v2_2026_11")
    for row in (v1, v2):
        assert (row["n_audience"], row["n_critics"], row["audience_score"]) == (80, 0, 80.0)
        assert row["source_scores"] == {"tmdb": {"score": 80.0, "votes": 80}}
    assert v2["ai_score"] == 77.0
    card = card_row(transformed(vote_average=8.0, vote_count=80))
    assert card["payload"]["ai_score"] == card["payload_short"]["ai_score"] == 77.0
    assert card["payload"]["ai_score_range"] == [v2["ai_score_low"], v2["ai_score_high"]]


def test_the_fingerprint_tells_inputs_methods_and_priors_apart() -> None:
    prints = {
        row["inputs_fingerprint"]
        for votes in (80, 81)
        for prior in (PRIOR, ScorePrior(6.0, 20))
        for row in aggregate_rows(WORK_ID, 8.0, votes, prior)
    }
    assert len(prints) == 2 + 4
    assert aggregate_rows(1, 8.0, 80, PRIOR)[1]["inputs_fingerprint"] in prints


AVERAGES = st.floats(0, 10)
VOTES = st.integers(0, 2**31 - 2)
PRIORS = st.builds(ScorePrior, mean=AVERAGES, votes=st.floats(0.5, 1000))


@given(AVERAGES, VOTES, PRIORS)
@settings(max_examples=100, deadline=None, database=None)
def test_v2_lies_between_votes_and_prior_in_an_interval_that_narrows(
    average: float, votes: int, prior: ScorePrior
) -> None:
    score, low, high = v2_score(average, votes, prior)
    assert 0 <= low <= score <= high <= 100
    assert min(average, prior.mean) * 10 - 0.01 <= score <= max(average, prior.mean) * 10 + 0.01
    more_score, _, _ = v2_score(average, votes + 1, prior)
    assert abs(more_score - average * 10) <= abs(score - average * 10) + 0.02


@given(st.floats(4, 6), st.integers(0, 10**6), st.floats(25, 100))
@settings(max_examples=100, deadline=None, database=None)
def test_more_votes_never_widen_the_interval(average: float, votes: int, weight: float) -> None:
    prior = ScorePrior(5, weight)
    _, low, high = v2_score(average, votes, prior)
    _, more_low, more_high = v2_score(average, votes * 2 + 1, prior)
    assert more_high - more_low <= high - low + 0.02


@pytest.mark.parametrize(
    ("mean", "votes"), [(-0.1, 20), (10.1, 20), (float("nan"), 20), (6, 0), (6, -1), (6, float("inf"))]
)
def test_a_senseless_prior_is_refused(mean: float, votes: float) -> None:
    with pytest.raises(ValueError, match="score prior"):
        ScorePrior(mean, votes)
