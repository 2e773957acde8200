"""Rules for text, durations and moments."""

from __future__ import annotations

import re
from datetime import UTC, datetime

OVERVIEW_SHORT_LENGTH = 150


def text_or_none(text: str | None) -> str | None:
    """None for a text of nothing but white space: TMDB writes "" for what it does not know."""
    return text if text and not text.isspace() else None


def overview_short(overview: str | None) -> str | None:
    """The first 150 characters of the overview, and "..." where it was cut.

    The cut falls between words, unless that would lose more than half, as in a language written without
    spaces.
    """
    text = (overview or "").strip()
    if len(text) <= OVERVIEW_SHORT_LENGTH:
        return text or None
    head = text[: OVERVIEW_SHORT_LENGTH + 1]  # one more: a word may end exactly at the limit
    last_space = re.search(r"\s\S*\Z", head)
    between_words = last_space.start() if last_space else 0
    cut = between_words if between_words > OVERVIEW_SHORT_LENGTH // 2 else OVERVIEW_SHORT_LENGTH
    return head[:cut].rstrip() + "..."


def runtime_display(minutes: int | None) -> str | None:
    """`2h 19m`, `2h` or `45m`; None where the runtime is 0 or missing."""
    if not minutes:
        return None
    hours, rest = divmod(minutes, 60)
    return " ".join(part for part in (f"{hours}h" if hours else "", f"{rest}m" if rest else "") if part)


def utc_seconds(moment: datetime) -> str:
    """An aware moment as `2026-11-23T02:22:07Z`: in whole seconds, since strict decoders refuse fractions."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
