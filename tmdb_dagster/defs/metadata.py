"""What the UI shows of a materialisation. A figure has one name everywhere, so that its plot goes on.

Figures are int or float, since the UI plots no others; what is unknown is left out, for a zero would be a lie.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dagster import MetadataValue, TableColumn, TableRecord, TableSchema

from tmdb_dagster.transform.health import QueueEntries, images_by_status
from tmdb_dagster.transform.list_movers import CHANGES

if TYPE_CHECKING:
    from tmdb_dagster.pipeline.discover import Discovery, Snapshot
    from tmdb_dagster.pipeline.outcome import MovieOutcome
    from tmdb_dagster.pipeline.rehost import ImageReport
    from tmdb_dagster.transform.health import Health
    from tmdb_dagster.transform.list_movers import Mover
    from tmdb_dagster.transform.rows import MovieRows
    from tmdb_dagster.warehouse.call_figures import CallFigures, RunCalls
    from tmdb_dagster.warehouse.works import Unwritten

ROWS_SHOWN = 100
"""Rows of a table in the UI; the figures beside it count all."""

_ERRORS_SHOWN = 20


@dataclass
class MovieTally:
    """What became of a run's movies, and the first titles of those that were ingested or failed."""

    statuses: Counter[str] = field(default_factory=Counter)
    exclusions: Counter[str] = field(default_factory=Counter)
    images_fetched: int = 0
    image_bytes: int = 0
    ingested: list[tuple[int, str]] = field(default_factory=list)
    failed: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, outcomes: Iterable[MovieOutcome]) -> None:
        """Count outcomes."""
        for outcome in outcomes:
            self.statuses[outcome.status] += 1
            if outcome.status == "excluded":
                self.exclusions[outcome.message or ""] += 1
            if outcome.images is not None:
                self.images_fetched += outcome.images.moved
                self.image_bytes += outcome.images.bytes
            if outcome.status == "ingested" and len(self.ingested) < ROWS_SHOWN:
                self.ingested.append((outcome.tmdb_id, outcome.display_title))
            if outcome.status.failed and len(self.failed) < ROWS_SHOWN:
                self.failed.append((outcome.tmdb_id, outcome.title, outcome.message or ""))

    @property
    def written(self) -> int:
        """How many were fetched, and are in the catalogue as TMDB has them."""
        return self.statuses["ingested"] + self.statuses["unchanged"]

    def lost(self) -> str | None:
        """How many movies came and how many failed, such as `31 of 40, 9 failed`; None where none did."""
        failed = self.statuses["failed"] + self.statuses["gone"]
        settled = self.statuses.total()
        return f"{settled - failed} of {settled}, {failed} failed" if failed else None


def table(rows: Iterable[Mapping[str, Any]], **columns: str) -> MetadataValue:
    """A table; `columns` maps names to types: string, int, float."""
    schema = TableSchema([TableColumn(name, type=kind) for name, kind in columns.items()])
    records = [TableRecord({name: row[name] for name in columns}) for row in rows]
    return MetadataValue.table(records[:ROWS_SHOWN], schema)


def poster(url: str | None) -> dict[str, MetadataValue]:
    """A movie's poster, where it has one."""
    return {"poster": MetadataValue.md(f"![poster]({url})")} if url else {}


def call_figures(calls: CallFigures) -> dict[str, Any]:
    """How many calls were made, and how they went."""
    known = {
        "error rate (%)": None if calls.error_rate is None else round(100 * calls.error_rate, 1),
        "latency p50 (ms)": calls.latency_ms(50),
        "latency p95 (ms)": calls.latency_ms(95),
    }
    return {
        "TMDB calls": calls.calls,
        "retries": calls.retries,
        "refused by the rate limit (429)": calls.rate_limited,
        "call errors": calls.failed,
        "bytes received": calls.bytes,
        **{name: value for name, value in known.items() if value is not None},
    }


def exclusion_figures(exclusions: Mapping[str, int]) -> dict[str, int]:
    """How many movies were kept out, and how many of them for which reason."""
    return {"movies excluded": sum(exclusions.values())} | {f"excluded: {why}": n for why, n in exclusions.items()}


def call_tables(calls: RunCalls) -> dict[str, Any]:
    """The calls of a run by endpoint, and its most frequent errors."""
    endpoints = sorted(calls.by_endpoint.items(), key=lambda item: -item[1].calls)
    tables: dict[str, Any] = {
        "calls by endpoint": table(
            [
                {
                    "endpoint": endpoint,
                    "calls": figures.calls,
                    "errors": figures.failed,
                    "retries": figures.retries,
                    "p50_ms": figures.latency_ms(50),
                    "p95_ms": figures.latency_ms(95),
                }
                for endpoint, figures in endpoints
            ],
            endpoint="string",
            calls="int",
            errors="int",
            retries="int",
            p50_ms="int",
            p95_ms="int",
        )
    }
    if calls.errors:
        errors = [{"calls": count, "error": error} for error, count in calls.errors.most_common(_ERRORS_SHOWN)]
        tables["top errors"] = table(errors, calls="int", error="string")
    return tables


def queue_figures(queue: Iterable[QueueEntries]) -> dict[str, Any]:
    """How the refresh queue stands."""
    entries = Counter[str]()
    due, oldest_s = 0, 0.0
    for row in queue:
        entries[row.status] += row.entries
        due += row.due
        oldest_s = max(oldest_s, row.oldest_age_s or 0.0)
    return {
        "queue: due": due,
        "queue: queued": entries["queued"],
        "queue: processing": entries["processing"],
        "queue: given up": entries["failed"],
        "queue: oldest (h)": round(oldest_s / 3600, 2),
    }


def health_figures(health: Health) -> dict[str, Any]:
    """How the catalogue and what keeps it stand, and the calls of the last day."""
    calls, limit = health.calls, health.rate_limit
    images = images_by_status(health.images)
    works = sum(tier.works for tier in health.catalogue)
    known = {
        "error rate (%)": 100 * calls.error_rate if calls.calls else None,
        "latency p50 (ms)": calls.p50_ms,
        "latency p95 (ms)": calls.p95_ms,
        "rate limit used at most (%)": 100 * calls.peak / limit.calls if limit else None,
        "image coverage (%)": 100 * images["stored"] / images.total() if images else None,
    }
    return {
        "problems": len(health.problems),
        "TMDB calls": calls.calls,
        "retries": calls.retries,
        "refused by the rate limit (429)": calls.rate_limited,
        "call errors": calls.errors,
        **{name: round(value, 1) for name, value in known.items() if value is not None},
        "works": works,
        "complete works": sum(tier.works for tier in health.catalogue if tier.status == "complete"),
        "failed works": sum(tier.works for tier in health.catalogue if tier.status == "failed"),
        "stale works": sum(tier.stale for tier in health.catalogue),
        **queue_figures(health.queue),
    }


def snapshot_metadata(snapshot: Snapshot, calls: CallFigures) -> dict[str, Any]:
    """What a list held, what asking for it cost, and who moved in it."""
    changes: Counter[str] = Counter(mover.change for mover in snapshot.movers)
    metadata: dict[str, Any] = {
        "dagster/row_count": snapshot.movies,
        "pages": snapshot.pages,
        "failed pages": snapshot.failed_pages,
        **call_figures(calls),
        **{change: changes[change] for change in CHANGES},
    }
    if snapshot.previous_at is not None:
        metadata["compared with the snapshot of"] = MetadataValue.timestamp(snapshot.previous_at)
        metadata["movers"] = movers_table(snapshot.movers)
    return metadata


def movers_table(movers: Sequence[Mover]) -> MetadataValue:
    """Who entered a list, left it, rose and fell: some of each, the greatest moves first."""
    some = [[mover for mover in movers if mover.change == change][: ROWS_SHOWN // len(CHANGES)] for change in CHANGES]
    return table(
        [
            {
                "change": mover.change,
                "title": mover.title,
                "rank_before": mover.rank_before,
                "rank_now": mover.rank_now,
                "tmdb_id": mover.tmdb_id,
            }
            for group in some
            for mover in group
        ],
        change="string",
        title="string",
        rank_before="int",
        rank_now="int",
        tmdb_id="int",
    )


def candidates_metadata(found: Discovery, calls: RunCalls, seconds: float) -> dict[str, Any]:
    """What a discovery chose, and what it cost."""
    return {
        "dagster/row_count": found.candidates,
        "movies checked": found.batch.movies_checked,
        "movies skipped": found.batch.movies_skipped,
        **exclusion_figures(found.batch.exclusions),
        "failed pages": len(found.problems),
        "resumed": found.resumed,
        "duration (s)": round(seconds, 1),
        **call_figures(calls.total),
        **call_tables(calls),
    }


def ingest_metadata(tally: MovieTally, calls: RunCalls, seconds: float) -> dict[str, Any]:
    """What a run did with its movies, and what it cost."""
    settled = sum(tally.statuses.values())
    metadata: dict[str, Any] = {
        "ingested": tally.statuses["ingested"],
        "unchanged": tally.statuses["unchanged"],
        "already complete": tally.statuses["cached"],
        "failed": tally.statuses["failed"] + tally.statuses["gone"],
        "busy": tally.statuses["busy"],
        **exclusion_figures(tally.exclusions),
        "duration (s)": round(seconds, 1),
        "movies a second": round(settled / seconds, 2) if seconds else 0.0,
        "images fetched": tally.images_fetched,
        "image bytes": tally.image_bytes,
        **call_figures(calls.total),
        **call_tables(calls),
    }
    if tally.ingested:
        titles = [{"title": title, "tmdb_id": tmdb_id} for tmdb_id, title in tally.ingested]
        metadata["titles ingested"] = table(titles, title="string", tmdb_id="int")
    if tally.failed:
        failed = [{"title": title, "reason": reason, "tmdb_id": tmdb_id} for tmdb_id, title, reason in tally.failed]
        metadata["titles failed"] = table(failed, title="string", reason="string", tmdb_id="int")
    return metadata


def movie_metadata(outcome: MovieOutcome) -> dict[str, Any]:
    """What became of one movie."""
    metadata: dict[str, Any] = {
        "title": outcome.title,
        "status": outcome.status.value,
        "calls": outcome.calls,
        "retries": max(0, outcome.calls - 1),
        "milliseconds": outcome.duration_ms,
    }
    optional: dict[str, Any] = {
        "year": outcome.year,
        "work_id": outcome.work_id,
        "card etag": outcome.etag,
        "remarks" if outcome.status.fresh else "reason": outcome.message,
    }
    shown = {name: value for name, value in optional.items() if value is not None}
    return metadata | shown | poster(outcome.poster_url)


def unwritten_metadata(work: Unwritten) -> dict[str, Any]:
    """How a work stands of which nothing was ever written."""
    return {"title": work.title, "status": work.status} | ({"reason": work.error} if work.error else {})


def image_metadata(report: ImageReport, poster_url: str | None) -> dict[str, Any]:
    """What became of a movie's images."""
    metadata: dict[str, Any] = {
        "images": report.total,
        "fetched": report.moved,
        "unchanged": report.kept,
        "missing": report.missing,
        "bytes": report.bytes,
    }
    if report.errors:
        metadata["errors"] = "; ".join(report.errors[:_ERRORS_SHOWN])
    return metadata | poster(poster_url)


def repaired_metadata(rows: MovieRows) -> dict[str, Any]:
    """How a movie's images stand after a repair, which counts its fetches for all movies together."""
    missing = sum(image["sha256"] is None for image in rows.images)
    return {"images": len(rows.images), "missing": missing, **poster(rows.meta["poster_url_medium"])}
