"""overview_short and runtime_display."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmdb_dagster.transform.text import overview_short, runtime_display


@pytest.mark.parametrize(
    ("overview", "expected"),
    [
        (None, None),
        ("", None),
        ("  \n ", None),
        ("Short.", "Short."),
        ("  padded  ", "padded"),
        ("x" * 150, "x" * 150),
        ("x" * 151, "x" * 150 + "..."),
        ("word " * 30, "word " * 29 + "word"),
        ("word " * 30 + "more", "word " * 29 + "word..."),
        ("word " * 29 + "wordy more", "word " * 29 + "wordy..."),
        ("y" * 150 + " tail", "y" * 150 + "..."),
        ("a" * 100 + " " + "b" * 100, "a" * 100 + "..."),
        ("a" * 100 + "\n\n" + "b" * 100, "a" * 100 + "..."),
        ("灯台守は船を数える。" * 20, ("灯台守は船を数える。" * 20)[:150] + "..."),
        ("序 " + "灯" * 300, "序 " + "灯" * 148 + "..."),
    ],
)
def test_overview_short(overview: str | None, expected: str | None) -> None:
    assert overview_short(overview) == expected


@given(st.text(alphabet=st.sampled_from("abc \n灯"), max_size=400))
@settings(max_examples=100, deadline=None, database=None)
def test_overview_short_is_a_beginning_of_the_overview(overview: str) -> None:
    short = overview_short(overview)
    text = overview.strip()
    if len(text) <= 150:
        assert short == (text or None)
    else:
        assert short is not None
        assert short.endswith("...")
        head = short[:-3]
        assert 0 < len(head) <= 150
        assert text.startswith(head)
        assert head == head.rstrip()


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (139, "2h 19m"),
        (120, "2h"),
        (45, "45m"),
        (60, "1h"),
        (61, "1h 1m"),
        (1, "1m"),
        (6000, "100h"),
        (0, None),
        (None, None),
    ],
)
def test_runtime_display(minutes: int | None, expected: str | None) -> None:
    assert runtime_display(minutes) == expected
