"""The transcripts of docs/first-steps.md, and what commands print, in a form in which both can be compared."""

from __future__ import annotations

import re
from itertools import groupby

from tmdb_dagster.settings import REPOSITORY

_PAGE = REPOSITORY / "docs/first-steps.md"
_MASKS = (
    (r"`\S*tmdb-dagster ", "`tmdb-dagster "),
    (r"/\S+?/(\.tmdb_dagster|state)\b", "/STATE"),
    (r"\d+(\.\d+)*", "0"),
    (r" +", " "),
    (r"─+", "─"),
)

PROGRESS = ("Discovering movies", "Ingesting: 0 of 0 movies done")
"""Lines that come every few seconds: none where all is done before."""


def documented(command: str) -> list[str]:
    """The lines that the page shows of a command."""
    page = _PAGE.read_text("utf8")
    return _compared(page.partition(f"```\n$ {command}\n")[2].partition("```")[0])


def printed(*outputs: str) -> list[str]:
    """The lines that a command printed."""
    return _compared("".join(outputs))


def _compared(text: str) -> list[str]:
    """Lines without numbers, ports and places; of lines that differ by numbers alone, such as a progress, the first."""
    for pattern, mask in _MASKS:
        text = re.sub(pattern, mask, text)
    return [line for line, _ in groupby(text.splitlines())]
