"""A report of sections, as Markdown for Dagster's UI."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from tmdb_dagster.shown import in_markdown
from tmdb_dagster.transform.attribution import attribution_markdown

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Rows under the names of their columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Section:
    """A part of the page: sentences, then a chart, then a table; each may be missing."""

    title: str
    sentences: Sequence[str] = ()
    chart: bytes | None = None
    table: Table | None = None


@dataclass(frozen=True)
class Page:
    """The report."""

    title: str
    subtitle: str
    sections: Sequence[Section]

    def markdown(self) -> dict[str, str]:
        """A text for each section that needs no other, by title: charts are inside, and TMDB's logo is linked to."""
        return {section.title: self._section(section) for section in self.sections}

    def _section(self, section: Section) -> str:
        return "\n\n".join([_section_markdown(section), self.subtitle, attribution_markdown(with_justwatch=True)])


def _section_markdown(section: Section) -> str:
    parts = [f"## {section.title}", *map(in_markdown, section.sentences)]
    if section.chart is not None:
        parts.append(f"![{section.title}]({_data_uri(section.chart)})")
    if section.table is not None:
        rows = [section.table.columns, ["---"] * len(section.table.columns), *section.table.rows]
        parts.append("\n".join("| " + " | ".join(in_markdown(_text(cell)) for cell in row) + " |" for row in rows))
    return "\n\n".join(parts)


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    return f"{cell:,}" if isinstance(cell, int | float) else cell


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
