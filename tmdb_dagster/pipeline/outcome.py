"""What became of a movie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from tmdb_dagster.pipeline.rehost import ImageReport
from tmdb_dagster.warehouse.refresh_queue import Became


class Status(StrEnum):
    """What became of a movie, in one word."""

    INGESTED = "ingested"
    """Written."""
    UNCHANGED = "unchanged"
    """TMDB's answer is the stored one; noted as refreshed."""
    CACHED = "cached"
    """Complete and fresh: TMDB was not asked."""
    FAILED = "failed"
    GONE = "gone"
    """TMDB does not know it (404)."""
    BUSY = "busy"
    """Another run is ingesting it."""
    EXCLUDED = "excluded"
    """It is not to be in the catalogue."""

    @property
    def written(self) -> bool:
        """Whether this run fetched it and the catalogue is up to date with TMDB's answer."""
        return self in (Status.INGESTED, Status.UNCHANGED)

    @property
    def fresh(self) -> bool:
        """Whether it is in the catalogue as it should be."""
        return self.written or self is Status.CACHED

    @property
    def failed(self) -> bool:
        """Whether TMDB gave nothing that could be written: the work is marked as failed."""
        return self in (Status.FAILED, Status.GONE)


@dataclass(frozen=True)
class MovieOutcome:
    """What became of one movie.

    `message` is why it is not fresh, or a remark. `calls` counts retries, and `duration_ms` is what they took together.
    `images` is None where they were not planned. `unavailable`: it failed because TMDB did not answer.
    `entry_id` is the entry of the refresh queue that asked for it, and `entry` what became of that.
    """

    tmdb_id: int
    status: Status
    title: str
    year: int | None = None
    work_id: int | None = None
    etag: str | None = None
    poster_url: str | None = None
    calls: int = 0
    duration_ms: int = 0
    message: str | None = None
    images: ImageReport | None = None
    unavailable: bool = False
    entry_id: str | None = None
    entry: Became | None = None

    @property
    def display_title(self) -> str:
        """Title (Year)."""
        return f"{self.title} ({self.year})" if self.year else self.title


OnSettled = Callable[[list[MovieOutcome]], None]
"""Called with outcomes as they settle, each once. What it raises ends the run, after what is under way has ended."""

Record = Callable[[Connection, list[MovieOutcome]], list[MovieOutcome]]
"""Notes outcomes in the transaction that makes them true, and returns them with what it learned of them."""
