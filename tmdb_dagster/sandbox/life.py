"""What days do to the invented catalogue: which movies have appeared by a day, and how often each has changed.

All of it follows from the seed and the day, so that a day's answers are the same whichever process asks, and nothing
is stored. Days begin at midnight UTC. On FIRST_DAY and before it every movie is as it was made.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

from tmdb_dagster.sandbox.draw import hashed

FIRST_DAY = date(2026, 11, 1)
HIGHEST_ID = 1_400_000
"""Movies that appear after FIRST_DAY have the ids above this one, in order."""
ARRIVALS_A_DAY = 3
_DAY = timedelta(days=1)
_FAMOUS_EVERY_D, _OBSCURE_EVERY_D = 2, 30
_OVERVIEW_EVERY, _POSTER_EVERY, _VIDEO_EVERY = 7, 9, 4


class Revision(NamedTuple):
    """How often a movie has changed, in how many of these changes its overview, poster and videos did, and when last.

    Each change moves its votes and its popularity.
    """

    number: int = 0
    overviews: int = 0
    posters: int = 0
    videos: int = 0
    day: date = FIRST_DAY


def still() -> date:
    """The clock of a catalogue that does not move."""
    return FIRST_DAY


def arrived_by(day: date) -> range:
    """The ids of the movies that have appeared since FIRST_DAY."""
    return range(HIGHEST_ID + 1, HIGHEST_ID + 1 + ARRIVALS_A_DAY * max(0, (day - FIRST_DAY).days))


def appeared_on(movie_id: int) -> date:
    """The day on which a movie came into the catalogue."""
    if movie_id <= HIGHEST_ID:
        return FIRST_DAY
    return FIRST_DAY + _DAY * (1 + (movie_id - HIGHEST_ID - 1) // ARRIVALS_A_DAY)


def revision_on(seed: int, movie_id: int, fame: float, day: date) -> Revision:
    """The state of a movie on a day: the more famous, the more often it changes."""
    period = _FAMOUS_EVERY_D + round((_OBSCURE_EVERY_D - _FAMOUS_EVERY_D) * (1 - fame))
    appeared = appeared_on(movie_id)
    before, _ = _changes(seed, movie_id, period, appeared)
    number, last = _changes(seed, movie_id, period, max(day, appeared))
    return _numbered(seed, movie_id, number - before, last) if number > before else Revision(day=appeared)


def revision_before(seed: int, movie_id: int, revision: Revision) -> Revision:
    """What the overviews, posters and videos were before a change that `revision_on` found."""
    return _numbered(seed, movie_id, revision.number - 1, revision.day)


def _changes(seed: int, movie_id: int, period: int, day: date) -> tuple[int, date]:
    """How many changes there were by a day since an arbitrary beginning, one in each period, and when the last was."""
    block, into = divmod(day.toordinal(), period)
    change = hashed(seed, "change", movie_id, block) % period
    if into < change:
        block -= 1
        change = hashed(seed, "change", movie_id, block) % period
    return block, date.fromordinal(block * period + change)


def _numbered(seed: int, movie_id: int, number: int, day: date) -> Revision:
    start = hashed(seed, "revisions", movie_id)

    def count(every: int) -> int:
        return (number + start % every) // every

    return Revision(number, count(_OVERVIEW_EVERY), count(_POSTER_EVERY), count(_VIDEO_EVERY), day)


def trend(seed: int, movie_id: int, day: date) -> float:
    """By how much the week's trend lifts a movie, 0.2 to 2.2; it goes from week to week in small steps."""
    week, into = divmod(day.toordinal(), 7)
    this, following = (hashed(seed, "trend", movie_id, one) % 1000 / 500 for one in (week, week + 1))
    return 0.2 + this + (following - this) * into / 7
