"""Which movies come into the catalogue by themselves: by discovery and by readers' requests."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Exclusion(StrEnum):
    """Why a movie is kept out, in the words that a run's report counts it by."""

    OWNER = "excluded by the owner"
    ADULT = "adult"
    VOTES = "too few votes"
    LANGUAGE = "other language"
    REMOVED = "removed meanwhile"


@dataclass(frozen=True)
class Admission:
    """What the settings let in: `languages` are ISO 639-1 codes of original languages, all where there are none."""

    include_adult: bool = False
    min_votes: int = 0
    languages: frozenset[str] = frozenset()

    def exclusion(self, *, adult: bool | None, votes: int | None, language: str | None) -> Exclusion | None:
        """Why a movie is kept out; None where it may come in. What is not known of it keeps it out of nothing."""
        if adult and not self.include_adult:
            return Exclusion.ADULT
        if votes is not None and votes < self.min_votes:
            return Exclusion.VOTES
        if language and self.languages and language not in self.languages:
            return Exclusion.LANGUAGE
        return None
