from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from tmdb_dagster.retry_after import retry_after_s

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def read(**headers: str) -> float | None:
    return retry_after_s(CaseInsensitiveDict({name.replace("_", "-"): value for name, value in headers.items()}), NOW)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("60", 60),
        ("61", 60),
        ("9" * 400, 60),
        ("-5", 0),
        ("Sun, 01 Mar 2026 12:00:20 GMT", 20),
        ("Sunday, 01-Mar-26 12:00:20 GMT", 20),
        ("Sun, 01 Mar 2026 14:00:20 +0200", 20),
        ("Sun, 01 Mar 2026 12:00:20 -0000", 20),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 60),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
        ("\uff17", None),
        ("Sun, 99 Mar 2026 12:00:20 GMT", None),
        ("Sun, 01 Mar 99999 12:00:20 GMT", None),
        ("Sun, 01 Mar 2026 12:00:20 +99999999999999999999", None),
    ],
)
def test_retry_after(value: str, expected: float | None) -> None:
    assert read(retry_after=value) == expected


@pytest.mark.parametrize(
    ("retry_after", "in_s", "expected"),
    [("", 5, 5), ("soon", 5, 5), ("2", 5, 2), ("", 500, 60), ("", -5, None), ("", 0, None)],
)
def test_the_end_of_the_window_counts_where_retry_after_says_nothing(
    retry_after: str, in_s: int, expected: float | None
) -> None:
    reset = str(int(NOW.timestamp()) + in_s)
    assert read(Retry_After=retry_after, X_RateLimit_Reset=reset) == expected


@given(retry_after=st.text(), reset=st.text())
def test_no_header_can_raise_or_leave_the_bounds(retry_after: str, reset: str) -> None:
    wait = read(retry_after=retry_after, x_ratelimit_reset=reset)
    assert wait is None or 0 <= wait <= 60


@given(st.integers(min_value=-100_000, max_value=100_000))
def test_seconds_and_a_date_mean_the_same(seconds: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert read(retry_after=date) == read(retry_after=str(seconds)) == min(max(seconds, 0), 60)
