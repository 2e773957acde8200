from __future__ import annotations

import re

import pytest

from tmdb_dagster.report.page import Page, Section, Table

HOSTILE = '<script>alert("x")</script> | [link](http://elsewhere) `code` *bold*'
PAGE = Page(
    "Title",
    "Subtitle",
    [
        Section("Empty"),
        Section("Full", [HOSTILE], b"png", Table(["name", "count"], [[HOSTILE, 1234], [None, 5]])),
    ],
)


def test_a_section_needs_no_file() -> None:
    markdown = PAGE.markdown()["Full"]

    assert "![Full](data:image/png;base64,cG5n)" in markdown
    outside = re.findall(r"(?<!\\)\]\((http[^)]+)\)", markdown)
    assert [url for url in outside if "themoviedb.org" not in url and "justwatch.com" not in url] == []


def test_what_comes_from_elsewhere_is_shown_as_it_is() -> None:
    markdown = PAGE.markdown()["Full"]

    assert "<script>" not in markdown.replace("\\<script\\>", "")
    assert "[link](" not in markdown
    assert "\\[link\\](http\\://elsewhere)" in markdown
    (row,) = [line for line in markdown.splitlines() if "1,234" in line]
    assert len(re.findall(r"(?<!\\)\|", row)) == 3, "a title with a bar does not break the table"


@pytest.mark.parametrize("section", ["Empty", "Full"])
def test_the_sources_are_named_in_every_section(section: str) -> None:
    markdown = PAGE.markdown()[section]

    assert "not endorsed, certified, or otherwise approved by TMDB" in markdown
    assert "https://www.themoviedb.org/assets/2/v4/logos/" in markdown
    assert "https://www.justwatch.com/" in markdown


def test_missing_cells_are_empty() -> None:
    assert "|  | 5 |" in PAGE.markdown()["Full"]
