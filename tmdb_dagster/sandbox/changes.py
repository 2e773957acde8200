"""What TMDB says of changes: which movies changed on a day, and what of a movie did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from tmdb_dagster.sandbox.draw import Draw, hashed
from tmdb_dagster.sandbox.life import HIGHEST_ID, Revision, revision_before
from tmdb_dagster.sandbox.movie import Json, Movie

FOREIGN_CHANGES_A_DAY = 120


@dataclass
class Change:
    """How often a movie was changed by hand, and when last."""

    touches: int = 0
    posters: int = 0
    removed: bool = False
    at: datetime | None = None


def foreign_changes(seed: int, day: date) -> list[Json]:
    """Rows of `/movie/changes` of ids that hardly any catalogue of ours has, odd like TMDB's."""
    draw = Draw(seed, "changes", day.toordinal())
    rows: list[Json] = []
    for _ in range(FOREIGN_CHANGES_A_DAY):
        movie_id, chance = draw.whole(2, HIGHEST_ID), draw.random()
        row: Json = {"id": movie_id, "adult": None if chance < 0.03 else chance > 0.95}
        if chance > 0.5:
            row["softcore"] = False
        rows.append(row)
    if draw.chance(0.3):
        rows.insert(draw.whole(0, len(rows)), {"id": None, "adult": None})
    return rows


def changes_of(movie: Movie, lived: Revision, touched: datetime | None, start: date, end: date) -> Json:
    """`changes` of a movie: what its last touch and the last change of its own did, where they were in those days."""
    changed: list[tuple[str, datetime]] = []
    if touched is not None and start <= touched.date() <= end:
        changed.append(("overview", touched))
    if lived.number and start <= lived.day <= end:
        before = revision_before(movie.seed, movie.id, lived)
        at = datetime.combine(lived.day, datetime.min.time(), UTC)
        pairs = zip(("overview", "images", "videos"), lived[1:4], before[1:4], strict=True)
        changed += [(key, at) for key, now, then in pairs if now != then]
    return {"changes": [{"key": key, "items": [_item(movie, key, at)]} for key, at in changed]}


def _item(movie: Movie, key: str, at: datetime) -> Json:
    return {
        "id": f"{hashed(movie.seed, 'change', movie.id, key, at.isoformat()):024x}",
        "action": "updated",
        "time": f"{at:%Y-%m-%d %H:%M:%S} UTC",
        "iso_639_1": "en",
        "iso_3166_1": "US",
        "value": {"overview": movie.story.overview, "images": movie.poster_path, "videos": movie.story.title}[key],
    }
