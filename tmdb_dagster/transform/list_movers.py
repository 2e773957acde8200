"""What has changed between two snapshots of a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

Change = Literal["entered", "left", "rose", "fell"]
CHANGES: tuple[Change, ...] = get_args(Change)


@dataclass(frozen=True)
class Place:
    """A movie's place in a snapshot of a list, and what the list says of it; `language` is its original one."""

    tmdb_id: int
    title: str | None
    rank: int
    page: int
    adult: bool | None = None
    votes: int | None = None
    language: str | None = None


@dataclass(frozen=True)
class ListSnapshot:
    """A list as a run found it."""

    source: str
    fetched_at: datetime
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Mover:
    """A movie whose place has changed; a rank is None where the movie was not in the list."""

    tmdb_id: int
    title: str
    change: Change
    rank_before: int | None
    rank_now: int | None


def list_movers(before: Sequence[Place], now: Sequence[Place]) -> list[Mover]:
    """Who entered the list, left it, rose and fell; the greatest moves first.

    Who entered or left is told for the pages that both snapshots have: a page that could not be fetched moves nobody.
    """
    import pandas as pd

    if not before or not now:
        return []
    old, new = (
        # TMDB repeats movies across pages; the best place counts.
        pd.DataFrame([vars(place) for place in places]).sort_values("rank").drop_duplicates("tmdb_id")
        for places in (before, now)
    )
    pages = set(old["page"]) & set(new["page"])
    both = old.merge(new, on="tmdb_id", how="outer", suffixes=("_before", "_now"))
    both["climb"] = both["rank_before"] - both["rank_now"]
    both["title"] = both["title_now"].fillna(both["title_before"]).fillna("")
    entered = both["rank_before"].isna() & both["page_now"].isin(pages)
    left = both["rank_now"].isna() & both["page_before"].isin(pages)
    groups: list[tuple[Change, Any]] = [
        ("entered", both[entered].sort_values("rank_now")),
        ("left", both[left].sort_values("rank_before")),
        ("rose", both[both["climb"] > 0].sort_values(["climb", "rank_now"], ascending=[False, True])),
        ("fell", both[both["climb"] < 0].sort_values(["climb", "rank_now"])),
    ]
    return [
        Mover(
            int(row.tmdb_id),
            row.title,
            change,
            None if pd.isna(row.rank_before) else int(row.rank_before),
            None if pd.isna(row.rank_now) else int(row.rank_now),
        )
        for change, rows in groups
        for row in rows.itertuples()
    ]
