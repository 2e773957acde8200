from __future__ import annotations

import re

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


def test_the_html_file_needs_no_other() -> None:
    html = PAGE.html()

    outside = re.findall(r'(?:src|href)="(http[^"]+)"', html)
    assert 'src="data:image/png;base64,cG5n"' in html
    assert [url for url in outside if "themoviedb.org" not in url and "justwatch.com" not in url] == []
    assert "<script" not in html
    assert "<link" not in html


def test_what_comes_from_elsewhere_is_shown_as_it_is() -> None:
    html, markdown = PAGE.html(), PAGE.markdown()

    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;" in html
    assert "<script>" not in markdown.replace("\\<script\\>", "")
    assert "[link](" not in markdown
    assert "\\[link\\](http\\://elsewhere)" in markdown
    (row,) = [line for line in markdown.splitlines() if "1,234" in line]
    assert len(re.findall(r"(?<!\\)\|", row)) == 3, "a title with a bar does not break the table"


def test_the_sources_are_named_in_both() -> None:
    for text in (PAGE.html(), PAGE.markdown()):
        assert "not endorsed, certified, or otherwise approved by TMDB" in text
        assert "https://www.themoviedb.org/assets/2/v4/logos/" in text
        assert "https://www.justwatch.com/" in text


def test_missing_cells_are_empty_and_numbers_are_aligned() -> None:
    html = PAGE.html()

    assert '<td></td><td class="number">5</td>' in html
