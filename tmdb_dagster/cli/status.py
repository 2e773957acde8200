"""The state of the catalogue in one screen, and for machines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, timedelta, tzinfo
from itertools import groupby

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tmdb_dagster.shown import counted, visible
from tmdb_dagster.transform.health import ENDED, CatalogueTier, Health, QueueEntries, images_by_status

_STYLES = {"failed": "red", "incomplete": "yellow", "succeeded": "green"}

Zone = tzinfo | None
"""Of the times that are shown; None: this machine's."""


def show(health: Health, console: Console) -> None:
    """Print it for a person: in local time where a terminal asks, elsewhere in UTC."""
    zone = None if console.is_terminal else UTC
    console.print(_runs(health, zone))
    console.print(_calls(health))
    console.print(_queue(health))
    console.print(_catalogue(health, zone))
    console.print(_images(health))
    for problem in health.problems:
        kind = ("problem: ", "red") if problem.severity == "error" else ("warning: ", "yellow")
        console.print(Text.assemble(kind, visible(f"{problem.name}: {problem.text} {problem.advice}")))
    if not health.needs_a_person:
        console.print(Text("Nothing needs a person.", "green"))


def _table(title: str, *columns: str, rows: Iterable[Iterable[object]]) -> Table:
    """Columns named with a leading > are numbers."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1, 0, 0))
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.removeprefix(">"), justify="right" if right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(visible(str(cell))) for cell in row))
    return table


def _runs(health: Health, zone: Zone) -> RenderableType:
    """The newest, and the last of each kind."""
    if not health.runs:
        return Text("No run yet.")
    older = [run for run in health.last_runs if run not in health.runs]
    return _table(
        "Last runs",
        f"ended, {health.at.astimezone(zone):%Z}",
        "run",
        "trigger",
        "status",
        ">seen",
        ">known",
        ">out",
        ">ingested",
        ">failed",
        ">s",
        rows=(
            (
                f"{run.ended_at.astimezone(zone):%m-%d %H:%M}",
                run.source,
                run.trigger_type or "",
                Text(ENDED[run.status], _STYLES[run.status]),
                run.movies_checked,
                run.movies_skipped,
                run.movies_excluded,
                run.movies_ingested,
                run.movies_failed,
                "" if run.duration_s is None else f"{run.duration_s:.0f}",
            )
            for run in [*health.runs, *older]
        ),
    )


def _calls(health: Health) -> RenderableType:
    calls, limit = health.calls, health.rate_limit
    line = Text("TMDB calls of the last day: ", "bold")
    line.append(f"{calls.calls:,}", "not bold")
    if not calls.calls:
        return line
    near = f"at most {calls.peak} in {limit.window}, where {limit.calls} are allowed" if limit else "no limit set"
    line.append(
        f", {near}; {counted(calls.errors, 'error')} ({calls.error_rate:.1%}), "
        f"{counted(calls.retries, 'retry', 'retries')}, "
        f"{calls.rate_limited} refused (429); median {calls.p50_ms} ms, 95 % within {calls.p95_ms} ms",
        "not bold",
    )
    return line


def _queue(health: Health) -> RenderableType:
    open_entries = [entry for entry in health.queue if entry.status in ("queued", "processing")]
    given_up = sum(entry.entries for entry in health.queue if entry.status == "failed")
    done = sum(entry.entries for entry in health.queue if entry.status == "completed")
    summary = f"{done:,} completed, {given_up:,} given up"
    if not open_entries:
        return Text.assemble(("Queue: ", "bold"), f"empty; {summary}")
    table = _table(
        f"Queue ({summary})",
        "status",
        ">priority",
        "reason",
        ">entries",
        ">due",
        ">oldest",
        ">retries",
        rows=(
            (
                _queue_status(entry),
                entry.priority,
                entry.reason or "",
                entry.entries,
                entry.due,
                _age(entry.oldest_age_s),
                entry.retries,
            )
            for entry in open_entries
        ),
    )
    errors = next((entry.last_error for entry in health.queue if entry.last_error), None)
    return Group(table, Text(visible(f"Last error: {errors}"), "yellow")) if errors else table


def _queue_status(entry: QueueEntries) -> str:
    return "left by a dead run" if entry.status == "processing" and not entry.claimed else entry.status


def _catalogue(health: Health, zone: Zone) -> RenderableType:
    if not health.catalogue:
        return Text("The catalogue is empty.")
    rows = []
    for status, group in groupby(health.catalogue, key=lambda tier: tier.status):
        tiers = list(group)
        oldest = min((tier.oldest_refresh_at for tier in tiers if tier.oldest_refresh_at), default=None)
        rows.append(
            (
                status,
                *(_sum(tiers, name) for name in ("works", "stale", "never_refreshed", "gone", "over_six_months")),
                f"{oldest.astimezone(zone):%Y-%m-%d}" if oldest else "",
            )
        )
    names = (">works", ">stale", ">never", ">gone", ">> 6 months", "oldest")
    return _table("Catalogue", "status", *names, rows=rows)


def _sum(tiers: list[CatalogueTier], name: str) -> int:
    return sum(getattr(tier, name) for tier in tiers)


def _images(health: Health) -> RenderableType:
    images = images_by_status(health.images)
    line = Text("Images: ", "bold")
    if not images:
        return line.append("none rehosted", "not bold")
    return line.append(
        f"{images['stored'] / images.total():.1%} of {images.total():,} in the store; "
        f"{images['pending']:,} not tried yet, {images['failed']:,} to be tried again, {images['gave_up']:,} given up",
        "not bold",
    )


def _age(seconds: float | None) -> str:
    """0:12:05, or with days; without fractions."""
    return "" if seconds is None else re.sub(r"\.\d+$", "", str(timedelta(seconds=seconds)))
