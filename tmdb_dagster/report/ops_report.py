"""The operator's report: what needs a person, what failed, what was done, what it cost, what changed in the lists."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice

from tmdb_dagster.report import charts
from tmdb_dagster.report.charts import BAD, CALM, GOOD, GREY, WAITING, Part
from tmdb_dagster.report.page import Cell, Page, Section, Table
from tmdb_dagster.shown import counted
from tmdb_dagster.transform.health import (
    ENDED,
    EndpointCalls,
    Failures,
    Health,
    HourlyCalls,
    RunKind,
    RunRow,
    images_by_status,
)
from tmdb_dagster.transform.list_movers import CHANGES, ListSnapshot, Mover

DAYS = 7

RUN_KINDS: dict[RunKind, str] = {"ingest": "ingest", "refresh": "daily refresh", "drain": "drain of the queue"}
_BOTH = "ingests and daily refreshes"

# A section is to fit on a screen: Dagster opens longer ones at their end.
_MOVERS_SHOWN = 3
_ROWS_SHOWN = 8
_CELL_CHARACTERS = 160
_STATUSES = {"complete": GOOD, "ingesting": CALM, "pending": WAITING, "failed": BAD}
_IMAGE_STATUSES = {
    "stored": ("stored", GOOD),
    "pending": ("not tried yet", CALM),
    "failed": ("to be tried again", WAITING),
    "gave_up": ("given up", BAD),
}


@dataclass(frozen=True)
class ListChange:
    """A list as it is, and who moved in it since `compared_with` (None: there is nothing to compare with)."""

    now: ListSnapshot
    compared_with: datetime | None
    movers: list[Mover]


@dataclass(frozen=True)
class OpsData:
    """All that the report shows; `runs` are the ingests and daily refreshes, newest first."""

    health: Health
    runs: list[RunRow]
    failures: list[Failures]
    endpoints: list[EndpointCalls]
    hours: list[HourlyCalls]
    lists: list[ListChange]


def ops_report(data: OpsData) -> Page:
    """Draw the report."""
    return Page(
        "Operations",
        f"State of {data.health.at:%Y-%m-%d %H:%M} UTC; all times are UTC.",
        [
            _attention(data.health),
            _failures(data.failures),
            _runs(data),
            _queue(data.health),
            _catalogue(data.health),
            _images(data.health),
            _calls(data),
            *_endpoints(data),
            *_lists(data.lists),
        ],
    )


def _attention(health: Health) -> Section:
    rows: Iterable[Sequence[Cell]] = (
        ["a person" if one.severity == "error" else "may wait", one.name, one.text, one.advice]
        for one in health.problems
    )
    sentences = [] if health.needs_a_person else ["Nothing."]
    table = _table(["needs", "check", "what is wrong", "what to do"], rows)
    return Section("What needs a person", sentences, table=table)


def _failures(failures: Sequence[Failures]) -> Section:
    """By reason: a reader wants to know what to mend, not which hundred movies it concerned."""
    if not failures:
        return Section("What failed, and why", ["Nothing failed."])
    rows: Iterable[Sequence[Cell]] = (
        [one.count, one.what, one.reason, f"{one.last_at:%Y-%m-%d %H:%M}" if one.last_at else None, one.example]
        for one in failures
    )
    table = _table(["how many", "of what", "reason", "last", "for example"], rows)
    return Section("What failed, and why", table=table)


def _runs(data: OpsData) -> Section:
    sentences = [run_sentence(run) for run in data.health.last_runs]
    runs = list(reversed(data.runs))
    if not runs:
        return Section("Runs", sentences or ["No run yet."])
    parts = [
        Part("ingested or refreshed", GOOD, [run.movies_ingested for run in runs]),
        Part("failed", BAD, [run.movies_failed for run in runs]),
    ]
    chart = charts.runs(
        [f"{run.ended_at:%b %d}\n{run.ended_at:%H:%M}" for run in runs],
        parts,
        [run.status == "failed" for run in runs],
        [run.duration_s or 0.0 for run in runs],
    )
    charted = f"{counted(len(runs), 'ingest or daily refresh', _BOTH)}, the newest on the right:"
    return Section("Runs", [*sentences, charted], chart)


def run_sentence(run: RunRow) -> str:
    """What a run did, in one sentence."""
    lists = "all lists" if run.source == "all" else run.source
    of = [*([lists] if run.kind == "ingest" else []), *([run.trigger_type] if run.trigger_type else [])]
    excluded = ", ".join(f"{count} {reason}" for reason, count in run.exclusions.items())
    figures = [
        f"{run.movies_checked:,} {'checked' if run.kind == 'ingest' else 'taken from the queue'}",
        f"{run.movies_skipped:,} skipped",
        *([f"{run.movies_excluded:,} excluded ({excluded})"] if run.movies_excluded else []),
        f"{run.movies_ingested:,} {'ingested' if run.kind == 'ingest' else 'refreshed'}",
        f"{run.movies_failed:,} failed",
    ]
    by = f" ({', '.join(of)})" if of else ""
    ended = f"{run.ended_at:%Y-%m-%d %H:%M}, {ENDED[run.status]}"
    return f"Last {RUN_KINDS[run.kind]}{by}: {ended}; {', '.join(figures)}."


def _calls(data: OpsData) -> Section:
    calls, limit = data.health.calls, data.health.rate_limit
    near = f"At most {calls.peak} in {limit.window}, where {limit.calls} are allowed." if limit else "No limit is set."
    sentence = (
        f"{counted(calls.calls, 'call')} in the last day, {counted(calls.errors, 'error')}, "
        f"{counted(calls.retries, 'retry', 'retries')}, {calls.rate_limited:,} refused by the rate limit. {near}"
    )
    if not data.hours:
        return Section("Calls to TMDB", [sentence, f"No call in {DAYS} days."])
    hours = _hours(data.hours)
    parts = [
        Part("answered", GOOD, [hour.calls - hour.errors for hour in hours]),
        Part("errors", BAD, [hour.errors for hour in hours]),
    ]
    return Section(
        "Calls to TMDB",
        [sentence],
        charts.hours([hour.hour for hour in hours], parts, unit="calls an hour", until=data.health.at),
    )


@dataclass(frozen=True)
class _Hour:
    """An hour's calls of all jobs; p50 is their mean weighted by calls, p95 the slowest job's."""

    hour: datetime
    calls: int
    errors: int
    p50_ms: float
    p95_ms: float


def _hours(rows: Iterable[HourlyCalls]) -> list[_Hour]:
    hours = []
    for hour, jobs in groupby(rows, key=lambda row: row.hour):
        of_hour = list(jobs)
        calls = sum(row.calls for row in of_hour)
        p50 = sum((row.p50_ms or 0) * row.calls for row in of_hour) / calls
        p95 = max(row.p95_ms or 0 for row in of_hour)
        hours.append(_Hour(hour, calls, sum(row.errors for row in of_hour), p50, p95))
    return hours


def _endpoints(data: OpsData) -> list[Section]:
    if not data.endpoints:
        return []
    rows = data.endpoints[:_ROWS_SHOWN]
    parts = [
        Part("answered", GOOD, [row.calls - row.errors for row in rows]),
        Part("errors", BAD, [row.errors for row in rows]),
    ]
    table = Table(
        ["endpoint", "calls", "errors", "retries", "429s", "median ms", "p95 ms", "MB"],
        [
            [
                row.endpoint,
                row.calls,
                row.errors,
                row.retries,
                row.rate_limited,
                row.p50_ms,
                row.p95_ms,
                round(row.bytes / 1e6, 1),
            ]
            for row in rows
        ],
    )
    hours = _hours(data.hours)
    trend = charts.trends(
        [hour.hour for hour in hours],
        [hour.errors / hour.calls for hour in hours],
        [hour.p50_ms for hour in hours],
        [hour.p95_ms for hour in hours],
        until=data.health.at,
    )
    chart = charts.stacked_rows([row.endpoint for row in rows], parts, unit=f"calls in {DAYS} days")
    return [
        Section("Calls by endpoint", chart=chart, table=table),
        Section("Errors and answer times", [f"By hour, {DAYS} days; hours without a call have no point."], trend),
    ]


def _queue(health: Health) -> Section:
    entries = [entry for entry in health.queue if entry.status != "completed"]
    if not entries:
        return Section("Refresh queue", ["The queue is empty."])
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        of_reason = counts[entry.reason or "no reason"]
        of_reason["due"] += entry.due
        of_reason["later"] += entry.entries - entry.due if entry.status == "queued" else 0
        of_reason["processing"] += entry.entries if entry.status == "processing" else 0
        of_reason["given up"] += entry.entries if entry.status == "failed" else 0
    colours = {"processing": GOOD, "due": WAITING, "later": GREY, "given up": BAD}
    parts = [Part(name, colour, [of[name] for of in counts.values()]) for name, colour in colours.items()]
    return Section("Refresh queue", [queue_sentence(health)], charts.stacked_rows(list(counts), parts, unit="movies"))


def queue_sentence(health: Health) -> str:
    """How many entries are due, wait and were given up, and since when the oldest waits."""
    waiting = sum(entry.entries for entry in health.queue if entry.status in ("queued", "processing"))
    given_up = sum(entry.entries for entry in health.queue if entry.status == "failed")
    oldest = max((entry.oldest_age_s or 0 for entry in health.queue), default=0)
    due = f"{sum(entry.due for entry in health.queue):,} due now"
    since = f"; the oldest has waited for {_lasting(oldest)}" if waiting else ""
    return f"{counted(waiting, 'movie')} in the queue, {due}{since}. {given_up:,} given up."


def _lasting(seconds: float) -> str:
    """In whole minutes, or from two hours on in hours."""
    return counted(round(seconds / 60), "minute") if seconds < 7200 else f"{seconds / 3600:.0f} hours"


def _catalogue(health: Health) -> Section:
    if not health.catalogue:
        return Section("Catalogue", ["There is no movie yet."])
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for tier in health.catalogue:
        counts[tier.age_tier][tier.status] += tier.works
    labels = [tier if tier in ("unreleased", "unknown") else f"{tier} days" for tier in counts]
    parts = [Part(name, colour, [of[name] for of in counts.values()]) for name, colour in _STATUSES.items()]
    works, stale = sum(tier.works for tier in health.catalogue), sum(tier.stale for tier in health.catalogue)
    oldest = min((tier.oldest_refresh_at for tier in health.catalogue if tier.oldest_refresh_at), default=None)
    sentences = [f"{counted(works, 'movie')}, {stale:,} of them due for a refresh."]
    if oldest is not None:
        sentences.append(f"The longest unrefreshed dates from {oldest:%Y-%m-%d}.")
    return Section("Catalogue by age and status", sentences, charts.stacked_rows(labels, parts, unit="movies"))


def _images(health: Health) -> Section:
    if not health.images:
        return Section("Images", ["No image is wanted yet, or they stay at TMDB."])
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for count in health.images:
        counts[count.kind][count.status] += count.images
    parts = [
        Part(name, colour, [of[status] for of in counts.values()]) for status, (name, colour) in _IMAGE_STATUSES.items()
    ]
    by_status = images_by_status(health.images)
    stored, total = by_status["stored"], by_status.total()
    size = sum(count.bytes for count in health.images) / 1e6
    wanted = counted(total, "image is", "images are")
    sentence = f"{stored:,} of {wanted} in our store ({100 * stored / total:.1f} %), {size:,.1f} MB."
    return Section("Images", [sentence], charts.stacked_rows(list(counts), parts, unit="images"))


def _lists(lists: Sequence[ListChange]) -> list[Section]:
    if not lists:
        return [Section("Lists", ["No list has been fetched yet."])]
    movies = {change.now.source: {place.tmdb_id for place in change.now.places} for change in lists}
    shared = {(one, other): len(movies[one] & movies[other]) for one in movies for other in movies}
    sections = [Section("Movies that lists share", chart=charts.overlap(list(movies), shared))]
    return sections + [_list(change) for change in lists]


def _short(cell: Cell) -> Cell:
    if isinstance(cell, str) and len(cell) > _CELL_CHARACTERS:
        return f"{cell[:_CELL_CHARACTERS]} ..."
    return cell


def _list(change: ListChange) -> Section:
    title = f"List {change.now.source}"
    fetched = f"Fetched {change.now.fetched_at:%Y-%m-%d %H:%M}: {counted(len(change.now.places), 'movie')}."
    if change.compared_with is None:
        return Section(title, [f"{fetched} There is nothing to compare it with yet."])
    counts = Counter(mover.change for mover in change.movers)
    moved = ", ".join(f"{counts[name]} {name}" for name in CHANGES)
    rows = (
        [mover.change, mover.title, mover.rank_before, mover.rank_now]
        for name in CHANGES
        for mover in [mover for mover in change.movers if mover.change == name][:_MOVERS_SHOWN]
    )
    table = _table(["change", "title", "place before", "place now"], rows)
    return Section(title, [f"{fetched} Since {change.compared_with:%Y-%m-%d %H:%M}: {moved}."], table=table)


def _table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Table | None:
    """The first rows; None where there are none."""
    shown = [[_short(cell) for cell in row] for row in islice(rows, _ROWS_SHOWN)]
    return Table(columns, shown) if shown else None
