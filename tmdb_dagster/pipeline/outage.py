"""When failures of movies are TMDB's outage, and not the movies' own.

What stands before TMDB may give every movie the same permanent answer: a portal, a proxy, a page of maintenance. One
such answer says something of its movie, ten in a row say something of TMDB. So the failures of complete works wait
until an answer that is a movie ends the streak.
"""

from __future__ import annotations

from dataclasses import replace

from tmdb_dagster.pipeline.errors import TmdbOutage
from tmdb_dagster.pipeline.outcome import MovieOutcome, Status

OUTAGE = 10
"""After so many movies in a row for which TMDB gave nothing the run ends instead of failing the rest."""


class Streak:
    """The failures since the last movie that came.

    TMDB's own 404 belongs to it only for a work that was complete: works that are new, asked for by a person or gone
    already may well be unknown, and say neither that TMDB is there nor that it is not.
    """

    def __init__(self) -> None:
        self._length = 0
        self._held: list[MovieOutcome] = []
        self.outage: TmdbOutage | None = None
        """What the run is to end with: the streak is as long as OUTAGE."""

    def add(self, outcome: MovieOutcome, error: BaseException, *, was_complete: bool) -> list[MovieOutcome]:
        """Count a failure; returns it unless it is held back."""
        if outcome.status is Status.GONE and not was_complete:
            return [outcome]
        self._length += 1
        if self._length == OUTAGE:
            self.outage = TmdbOutage(
                f"TMDB gave none of the last {OUTAGE} movies: {outcome.message} The run ends here; what it has "
                "ingested is kept, and what was complete is as it was. Run it again when TMDB is back."
            )
            self.outage.__cause__ = error
        if was_complete:
            self._held.append(outcome)
            return []
        return [outcome]

    def end(self) -> list[MovieOutcome]:
        """End the streak, since a movie came or none is left; returns the failures that were held back."""
        held, self._held = self._held, []
        self._length = 0
        return held

    def spared(self) -> list[MovieOutcome]:
        """The failures of complete works in an outage: their works are not to change, and none of them is gone."""
        return [replace(outcome, status=Status.FAILED) for outcome in self._held]
