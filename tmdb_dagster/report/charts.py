"""Charts as PNG files, small enough for a page that one mails."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 8.0
_DPI = 96
_COLOURS = 64
_TEXT = "#333333"
_GRID = "#e6e6e6"

GOOD = "#2b7bba"
CALM = "#9ec9e2"
WAITING = "#f0b64d"
BAD = "#c8403f"
GREY = "#b5b5b5"


@dataclass(frozen=True)
class Part:
    """One colour of stacked bars: a value for each bar."""

    name: str
    colour: str
    values: Sequence[float]


def stacked_rows(labels: Sequence[str], parts: Sequence[Part], *, unit: str) -> bytes:
    """Horizontal bars, the first on top, with their totals beside them."""
    figure = _figure(1.1 + 0.32 * len(labels))
    axes = figure.subplots()
    places = range(len(labels))
    left = [0.0] * len(labels)
    for part in parts:
        if any(part.values):
            axes.barh(places, part.values, left=left, color=part.colour, label=part.name, height=0.65)
            left = [start + value for start, value in zip(left, part.values, strict=True)]
    for place, total in zip(places, left, strict=True):
        axes.annotate(
            f"{total:,.0f}", (total, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.set_yticks(places, labels)
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    axes.margins(x=0.08)
    _whole_numbers(axes.xaxis)
    _plain(axes, grid="x")
    _legend(axes)
    return _png(figure)


def runs(moments: Sequence[str], parts: Sequence[Part], failed: Sequence[bool], seconds: Sequence[float]) -> bytes:
    """What each run did, and how long it took; oldest first. A run that failed as a whole has a cross."""
    figure = _figure(3.9)
    movies, time = figure.subplots(2, sharex=True, height_ratios=[2, 1])
    places = range(len(moments))
    bottom = [0.0] * len(moments)
    for part in parts:
        movies.bar(places, part.values, bottom=bottom, color=part.colour, label=part.name, width=0.7)
        bottom = [start + value for start, value in zip(bottom, part.values, strict=True)]
    crosses = [place for place in places if failed[place]]
    if crosses:
        heights = [bottom[place] for place in crosses]
        movies.plot(crosses, heights, "x", color=BAD, markeredgewidth=2, label="the run broke off", clip_on=False)
    movies.set_ylabel("movies")
    _whole_numbers(movies.yaxis)
    _legend(movies)
    time.bar(places, seconds, color=GREY, width=0.7)
    time.set_ylabel("duration (s)")
    every = max(1, len(moments) // 10)
    time.set_xticks(places[::every], moments[::every])
    for axes in (movies, time):
        _plain(axes, grid="y")
        axes.set_xlim(-0.7, max(len(moments), 8) - 0.3)
    return _png(figure)


def hours(moments: Sequence[datetime], parts: Sequence[Part], *, unit: str, until: datetime) -> bytes:
    """Bars along time, an hour each."""
    figure = _figure(2.4)
    axes = figure.subplots()
    at = _dates(moments)
    bottom = [0.0] * len(moments)
    for part in parts:
        if any(part.values):
            axes.bar(at, part.values, bottom=bottom, color=part.colour, label=part.name, width=1 / 24, align="edge")
            bottom = [start + value for start, value in zip(bottom, part.values, strict=True)]
    axes.set_ylabel(unit)
    _whole_numbers(axes.yaxis)
    _time_axis(axes, moments, until)
    _plain(axes, grid="y")
    _legend(axes)
    return _png(figure)


def trends(
    moments: Sequence[datetime],
    error_rates: Sequence[float],
    p50: Sequence[float],
    p95: Sequence[float],
    *,
    until: datetime,
) -> bytes:
    """Error rate (a share, 0 to 1; drawn as percent) and response times along time."""
    figure = _figure(3.6)
    errors, latency = figure.subplots(2, sharex=True)
    at = _dates(moments)
    percent = [100 * rate for rate in error_rates]
    errors.plot(at, percent, "o-", color=BAD, markersize=3, linewidth=1)
    errors.set_ylabel("errors (%)")
    errors.set_ylim(0, max(5.0, *percent) * 1.1)
    latency.plot(at, p95, "o-", color=CALM, markersize=3, linewidth=1, label="95 of 100 within")
    latency.plot(at, p50, "o-", color=GOOD, markersize=3, linewidth=1, label="median")
    latency.set_ylabel("answer time (ms)")
    latency.set_ylim(bottom=0)
    _time_axis(latency, moments, until)
    for axes in (errors, latency):
        _plain(axes, grid="y")
    _legend(latency)
    return _png(figure)


def overlap(names: Sequence[str], shared: Mapping[tuple[str, str], int]) -> bytes:
    """How many movies two lists share; a list with itself: how many it has."""
    figure = _figure(2.6, width=4.6)
    axes = figure.subplots()
    counts = [[shared[row, column] for column in names] for row in names]
    largest = max(max(row) for row in counts) or 1
    axes.imshow(counts, cmap="Blues", vmin=0, vmax=largest * 1.4)
    for y, row in enumerate(counts):
        for x, count in enumerate(row):
            axes.text(x, y, f"{count}", ha="center", va="center", color=_TEXT, fontweight="bold" if x == y else None)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0, colors=_TEXT)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return _png(figure)


def _figure(height: float, *, width: float = _WIDTH) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained")


def _png(figure: Figure) -> bytes:
    """A palette does for a chart, and takes a third of the bytes."""
    from PIL import Image

    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png")
    with Image.open(drawn) as picture:
        picture.convert("RGB").quantize(_COLOURS).save(small, format="png", optimize=True)
    return small.getvalue()


def _plain(axes: Axes, *, grid: Literal["x", "y"]) -> None:
    for side in ("top", "right", "left" if grid == "y" else "bottom"):
        axes.spines[side].set_visible(False)
    axes.grid(axis=grid, color=_GRID)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=8, colors=_TEXT)
    axes.xaxis.label.set_fontsize(8)
    axes.yaxis.label.set_fontsize(8)


def _legend(axes: Axes) -> None:
    handles, _ = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=len(handles), frameon=False, fontsize=8, borderaxespad=0.2
        )


def _whole_numbers(axis: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=6, integer=True))


def _time_axis(axes: Axes, moments: Sequence[datetime], until: datetime) -> None:
    """The time from the first moment, or a day, until now."""
    from matplotlib import dates

    axes.set_xlim(*_dates([min(moments[0], until - timedelta(days=1)), until]))
    locator: Any = dates.AutoDateLocator(maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _dates(moments: Sequence[datetime]) -> Any:
    from matplotlib.dates import date2num

    return date2num(list(moments))  # type: ignore[no-untyped-call]
