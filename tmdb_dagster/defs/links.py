"""Links to pages of Dagster's UI, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from tmdb_dagster.defs.code_location import LOCATION
from tmdb_dagster.shown import in_markdown


def written_by(jobs: Sequence[str], *, schedules: Sequence[str] = (), sensors: Sequence[str] = ()) -> str:
    """A sentence on what writes an asset: only of jobs that are made of assets does the UI say so itself."""
    starters = [f"by {_links(kind, names)}" for kind, names in (("schedule", schedules), ("sensor", sensors)) if names]
    are = "are" if len(jobs) > 1 else "is"
    return f"Written by {_links('job', jobs)}, which {are} started {', '.join(starters)}, or by hand."


def movie_link(tmdb_id: str, title: str) -> str:
    """A link to a movie's partition."""
    return f"[{in_markdown(title)}](/assets/movies?view=partitions&partition={tmdb_id})"


def _links(kind: str, names: Sequence[str]) -> str:
    *others, last = [f"[{name}](/locations/{LOCATION}/{kind}s/{name})" for name in names]
    return f"the {kind}s {', '.join(others)} and {last}" if others else f"the {kind} {last}"
