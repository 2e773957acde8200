"""The operator's report in a few lines, short enough for Dagster's UI to show them where it shows figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tmdb_dagster.report.ops_report import OpsData, queue_sentence, run_sentence
from tmdb_dagster.shown import counted, in_markdown
from tmdb_dagster.transform.health import images_by_status
from tmdb_dagster.transform.list_movers import CHANGES

MOST_CHARACTERS = 999
"""Longer Markdown is behind a button."""

_REASON_CHARACTERS = 80
_ONE = {"queue entries": "queue entry"}


def summary(data: OpsData) -> str:
    """Markdown: what needs a person first, then what was done, what failed, and how things stand.

    Where the lines are too many, the last ones are left out.
    """
    text = ""
    for line in _lines(data):
        longer = f"{text}* {line}\n"
        if len(longer) > MOST_CHARACTERS:
            break
        text = longer
    return text


def _lines(data: OpsData) -> Iterator[str]:
    health = data.health
    acute = [problem.name for problem in health.problems if problem.severity == "error"]
    waiting = [problem.name for problem in health.problems if problem.severity != "error"]
    yield f"**Needs a person:** {_names(acute)}." + (f" May wait: {_names(waiting)}." if waiting else "")
    for run in health.last_runs:
        yield in_markdown(run_sentence(run))
    if not health.last_runs:
        yield "No run yet."
    if data.failures:
        kinds = Counter[str]()
        for failure in data.failures:
            kinds[failure.what] += failure.count
        most = max(data.failures, key=lambda failure: failure.count)
        reason = most.reason if len(most.reason) <= _REASON_CHARACTERS else f"{most.reason[:_REASON_CHARACTERS]}..."
        told = ", ".join(counted(count, _ONE.get(what, what[:-1]), what) for what, count in kinds.items())
        yield f"Failed within 7 days, though a later try may have gone well: {told}. Most often: {in_markdown(reason)}"
    calls, limit = health.calls, health.rate_limit
    near = f", at most {calls.peak} of the {limit.calls} allowed in {limit.window}" if limit else ""
    yield f"{counted(calls.calls, 'call')} to TMDB in the last day{near}."
    yield queue_sentence(health)
    works, stale = (sum(getattr(tier, name) for tier in health.catalogue) for name in ("works", "stale"))
    images = images_by_status(health.images)
    stored = f"; {100 * images['stored'] / images.total():.1f} % of the images stored" if images else ""
    yield f"{counted(works, 'movie')}, {stale:,} of them due for a refresh{stored}."
    moved = [
        f"{change.now.source}: " + ", ".join(f"{counts[name]} {name}" for name in CHANGES)
        for change in data.lists
        if change.compared_with is not None
        for counts in [Counter(mover.change for mover in change.movers)]
    ]
    if moved:
        yield in_markdown(f"Lists in a week. {'; '.join(moved)}.")


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) if names else "nothing"
