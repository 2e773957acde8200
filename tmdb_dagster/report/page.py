"""A report of sections, as one HTML file that needs no other, and as Markdown for Dagster's UI."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from tmdb_dagster.shown import in_markdown
from tmdb_dagster.transform.attribution import (
    JUSTWATCH_NOTICE,
    JUSTWATCH_URL,
    TMDB_LOGO_URL,
    TMDB_NOTICE,
    TMDB_URL,
    attribution_markdown,
)

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Rows under the names of their columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    @property
    def numeric(self) -> list[bool]:
        """Which columns are numbers."""
        return [all(isinstance(row[at], int | float) for row in self.rows) for at in range(len(self.columns))]


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

    def html(self) -> str:
        """One file: charts are inside, and nothing but TMDB's logo is asked for elsewhere."""
        from jinja2 import Environment, PackageLoader, StrictUndefined

        environment = Environment(
            loader=PackageLoader("tmdb_dagster.report", "."),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {"cell": _text, "data_uri": _data_uri}
        tmdb = {"url": TMDB_URL, "logo_url": TMDB_LOGO_URL, "notice": TMDB_NOTICE}
        justwatch = {"url": JUSTWATCH_URL, "notice": JUSTWATCH_NOTICE}
        return environment.get_template("page.html.jinja").render(page=self, tmdb=tmdb, justwatch=justwatch)

    def markdown(self) -> str:
        """The same for Dagster's UI."""
        parts = [f"# {self.title}", self.subtitle, *(_section_markdown(section) for section in self.sections)]
        return "\n\n".join([*parts, attribution_markdown(with_justwatch=True)])


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
