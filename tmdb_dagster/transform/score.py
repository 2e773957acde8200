"""The AI score, by method. Several methods live side by side in `aggregates`; the card shows the second.

v1_2025_11   ten times the vote average, ± 5, whatever the number of votes.
v2_2026_11   the Bayesian average, with a credible interval.

The Bayesian average is the posterior mean of the normal model with known variance (Gelman et al., Bayesian
Data Analysis, 3rd edition, section 2.5), and the form of IMDb's weighted rating: with n votes of mean x, and
a prior worth C votes of mean m,

    score = (n * x + C * m) / (n + C)        standard deviation = s / sqrt(n + C)

The interval is the score ± 1.96 standard deviations (95 %). s, the standard deviation of one vote, is not in
TMDB's answers; it is assumed to be 2 of 10, since a movie's mean misses a single MovieLens rating by about 1
star of 5. Without votes the interval is the prior's own: it is honest where C is s² divided by the variance
between movies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tmdb_dagster.transform.fingerprint import fingerprint
from tmdb_dagster.transform.rows import AggregateRow, RatingRow, SourceScore

METHOD_V1 = "v1_2025_11"
METHOD_V2 = "v2_2026_11"

_V1_MARGIN = 5.0
_VOTE_DEVIATION = 2.0
_Z_95 = 1.96


@dataclass(frozen=True)
class ScorePrior:
    """What is expected of a movie without votes: a mean (0 to 10), and its weight in votes (above 0).

    Raises ValueError outside of these ranges.
    """

    mean: float
    votes: float

    def __post_init__(self) -> None:
        if not (0 <= self.mean <= 10 and 0 < self.votes < math.inf):
            raise ValueError(f"A score prior needs a mean of 0 to 10 and votes above 0, not {self}")


PRIOR_VOTES = 25.0
"""How many votes the catalogue's mean counts as: a movie with as many is half its own, half the catalogue's."""

DEFAULT_PRIOR = ScorePrior(mean=6.5, votes=PRIOR_VOTES)
"""For a catalogue that is too small to have a mean of its own."""


def rating_row(work_id: int, vote_average: float | None, vote_count: int | None) -> RatingRow | None:
    """TMDB's own rating; None where it gives none."""
    if vote_average is None:
        return None
    return {
        "work_id": work_id,
        "source_name": "TMDB",
        "scale_type": "0_10",
        "value_raw": round(vote_average, 3),
        "value_0_100": _percent(vote_average),
        "votes_count": vote_count or 0,
    }


def aggregate_rows(
    work_id: int, vote_average: float | None, vote_count: int | None, prior: ScorePrior
) -> list[AggregateRow]:
    """The score by every method, the card's last. v1 is None without a vote average; v2 then is the prior."""
    votes = vote_count or 0
    inputs: dict[str, Any] = {"vote_average": vote_average, "vote_count": votes}
    scores = {
        METHOD_V1: (v1_score(vote_average), inputs),
        METHOD_V2: (v2_score(vote_average, votes, prior), {**inputs, "prior": [prior.mean, prior.votes]}),
    }
    source: SourceScore = {"score": _percent(vote_average or 0.0), "votes": votes}
    return [
        {
            "work_id": work_id,
            "method_version": method,
            "ai_score": score,
            "ai_score_low": low,
            "ai_score_high": high,
            "n_audience": votes,
            "n_critics": 0,
            "audience_score": None if vote_average is None else _percent(vote_average),
            "source_scores": {"tmdb": source},
            "inputs_fingerprint": fingerprint({"method": method, **used}),
        }
        for method, ((score, low, high), used) in scores.items()
    ]


def v1_score(vote_average: float | None) -> tuple[float | None, float | None, float | None]:
    """Score, low and high, 0 to 100: ten times the vote average, ± 5."""
    if vote_average is None:
        return None, None, None
    return _percent(vote_average), *_interval(vote_average, _V1_MARGIN / 10)


def v2_score(vote_average: float | None, vote_count: int, prior: ScorePrior) -> tuple[float, float, float]:
    """Score, low and high, 0 to 100: the Bayesian average and its 95 % credible interval."""
    votes = 0 if vote_average is None else vote_count
    weight = votes + prior.votes
    mean = (votes * (vote_average or 0.0) + prior.votes * prior.mean) / weight
    return _percent(mean), *_interval(mean, _Z_95 * _VOTE_DEVIATION / math.sqrt(weight))


def _interval(mean: float, margin: float) -> tuple[float, float]:
    return _percent(max(0.0, mean - margin)), _percent(min(10.0, mean + margin))


def _percent(value: float) -> float:
    return round(value * 10, 2)
