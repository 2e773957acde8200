"""A report of sections, as one HTML file that needs no other, and as Markdown for Dagster's UI."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from tmdb_dagster.transform.attribution import (
    JUSTWATCH_NOTICE,
    JUSTWATCH_URL,
    TMDB_LOGO_URL,
    TMDB_NOTICE,
    TMDB_URL,
    attribution_markdown,
)

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 800px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em; margin-bottom: 0; } h2 { font-size: 1.15em; margin: 2em 0 .4em; }
p { margin: .3em 0; } img { max-width: 100%; }
table { border-collapse: collapse; font-size: .9em; } caption { text-align: left; color: #666; }
td, th { padding: .15em .9em .15em 0; text-align: left; vertical-align: top; border-bottom: 1px solid #eee; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
footer { margin-top: 3em; font-size: .85em; color: #666; } footer img { width: 90px; vertical-align: middle; }
"""

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

    def html(self) -> str:
        """One file: charts are inside, and nothing but TMDB's logo is asked for elsewhere."""
        body = "\n".join(_section_html(section) for section in self.sections)
        return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(self.title)}</title>
<style>{_STYLE}</style></head>
<body>
<h1>{escape(self.title)}</h1>
<p>{escape(self.subtitle)}</p>
{body}
<footer><a href="{TMDB_URL}"><img src="{TMDB_LOGO_URL}" alt="TMDB"></a> {escape(TMDB_NOTICE)}
<a href="{JUSTWATCH_URL}">{escape(JUSTWATCH_NOTICE)}</a></footer>
</body>
</html>
"""

    def markdown(self) -> str:
        """The same for Dagster's UI."""
        parts = [f"# {self.title}", self.subtitle, *(_section_markdown(section) for section in self.sections)]
        return "\n\n".join([*parts, attribution_markdown(with_justwatch=True)])


def _section_html(section: Section) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>", *(f"<p>{escape(sentence)}</p>" for sentence in section.sentences)]
    if section.chart is not None:
        parts.append(f'<img src="{_data_uri(section.chart)}" alt="{escape(section.title)}">')
    if section.table is not None:
        parts.append(_table_html(section.table))
    return "\n".join(parts)


def _table_html(table: Table) -> str:
    numeric = [all(isinstance(row[at], int | float) for row in table.rows) for at in range(len(table.columns))]
    kinds = [' class="number"' if is_number else "" for is_number in numeric]
    head = "".join(f"<th{kind}>{escape(name)}</th>" for name, kind in zip(table.columns, kinds, strict=True))
    rows = [
        "".join(f"<td{kind}>{escape(_text(cell))}</td>" for cell, kind in zip(row, kinds, strict=True))
        for row in table.rows
    ]
    return f"<table><tr>{head}</tr>\n" + "\n".join(f"<tr>{row}</tr>" for row in rows) + "</table>"


def _section_markdown(section: Section) -> str:
    parts = [f"## {section.title}", *map(_inline, section.sentences)]
    if section.chart is not None:
        parts.append(f"![{section.title}]({_data_uri(section.chart)})")
    if section.table is not None:
        rows = [section.table.columns, ["---"] * len(section.table.columns), *section.table.rows]
        parts.append("\n".join("| " + " | ".join(_inline(_text(cell)) for cell in row) + " |" for row in rows))
    return "\n\n".join(parts)


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    return f"{cell:,}" if isinstance(cell, int | float) else cell


def _inline(text: str) -> str:
    """A text that Markdown shows as it is: titles and messages come from elsewhere."""
    for special in "\\`*_[]<>|#":
        text = text.replace(special, f"\\{special}")
    return " ".join(text.split())


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
