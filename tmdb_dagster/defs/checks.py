"""Asset checks: what must hold in the tables, and what to do where it does not.

One op evaluates many, on one connection. They run in the jobs that materialise their assets, and all of them by the
job data_quality.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    MetadataValue,
    multi_asset_check,
)
from sqlalchemy import Connection

from tmdb_dagster.defs.resources import CatalogueResource
from tmdb_dagster.warehouse import quality, upkeep
from tmdb_dagster.warehouse.problems import FAILED_SHARE, OVERDUE, QUEUE_WAITS
from tmdb_dagster.warehouse.quality import Finding

ERROR, WARN = AssetCheckSeverity.ERROR, AssetCheckSeverity.WARN


class Check(NamedTuple):
    """A check: on which asset, what must hold, what to do where it does not, and how to look.

    ERROR: a person must act. WARN: it may mend itself, or can wait.
    """

    asset: str
    holds: str
    advice: str
    find: Callable[[Connection], Finding]
    severity: AssetCheckSeverity = WARN


def _hours(time: timedelta) -> int:
    return round(time.total_seconds() / 3600)


CATALOGUE_CHECKS = {
    "unique_tmdb_ids": Check(
        "works",
        "No movie is there twice.",
        "Keep the older work of each pair and delete the other: readers may hold its work_id.",
        quality.unique_tmdb_ids,
        ERROR,
    ),
    "complete_works_have_rows": Check(
        "works",
        "Every complete work has its meta, scores and card, and a rating where TMDB has votes.",
        "Run rebuild_from_raw; for works without a stored answer run batch_ingest with force_refresh.",
        quality.complete_works_have_rows,
        ERROR,
    ),
    "no_stuck_works": Check(
        "works",
        "No work is `ingesting` without a run that lives.",
        "The sensor rescue_dead_work frees them every minute: see that it is on, and that the daemon runs.",
        upkeep.no_stuck_works,
    ),
    "few_failed_works": Check(
        "works",
        f"At most {FAILED_SHARE:.0%} of the works have failed, those that TMDB knows no more apart.",
        "Read the reasons below, mend the cause, then run batch_ingest.",
        upkeep.few_failed_works,
        ERROR,
    ),
    "plausible_release_dates": Check(
        "works",
        "Release dates lie between 1874 and 15 years ahead, and agree with the year.",
        "Compare with TMDB's page of the movie; ingest_movie with force_refresh takes what TMDB says now.",
        quality.plausible_release_dates,
    ),
    "refreshed_within_six_months": Check(
        "works",
        "TMDB's terms of use: nothing is kept for six months without a refresh.",
        "Run batch_ingest with force_refresh, and see why the refresh passes these movies over.",
        quality.refreshed_within_six_months,
    ),
    "ingested_lately": Check(
        "works",
        f"The last ingest that ended well is not older than {OVERDUE['scheduled_ingest'].days} days.",
        "See the runs of weekly_ingest: did the last one fail? Is weekly_ingest_schedule on, and the daemon running?",
        partial(upkeep.ran_lately, sync_type="scheduled_ingest"),
        ERROR,
    ),
    "refreshed_lately": Check(
        "works",
        f"The last refresh that ended well is not older than {_hours(OVERDUE['daily_refresh'])} hours.",
        "See the runs of daily_refresh: did the last one fail? Is its schedule on, and the daemon running?",
        partial(upkeep.ran_lately, sync_type="daily_refresh"),
        ERROR,
    ),
    "queue_moves": Check(
        "works",
        f"No due entry of the refresh queue waits for more than {_hours(QUEUE_WAITS)} hours.",
        "See that the daemon runs and that the runs which drain the queue succeed.",
        upkeep.queue_moves,
        ERROR,
    ),
    "images_rehosted": Check(
        "works_meta",
        f"{upkeep.LEAST_COVERAGE_PERCENT} % of the images are in our store, and none was given up.",
        "Run the job repair_images; image_inventory.last_error says why.",
        upkeep.images_rehosted,
    ),
    "scores_in_range": Check(
        "aggregates",
        "Scores are 0 to 100 and lie within their own interval.",
        "Run rebuild_from_raw; if they stay, transform/score.py is wrong.",
        quality.scores_in_range,
        ERROR,
    ),
    "valid_cards": Check(
        "work_cards_cache",
        f"Cards are what the app decodes: up to {quality.CARDS_SAMPLED}, the newest and some at random.",
        "The app cannot show these movies. Run rebuild_from_raw; if they stay, transform/card.py is wrong.",
        quality.valid_cards,
        ERROR,
    ),
}

_SOUND_CANDIDATES = AssetCheckSpec(
    "sound_candidates",
    asset="candidates",
    blocking=True,
    description="Every candidate has a TMDB id and a title; if not, none of them is asked for.",
)
_COMPLETE_LISTS = AssetCheckSpec(
    "complete_lists",
    asset="candidates",
    description="The newest snapshot of each list has all its pages, and is not half of the one before.",
)
_NO_SECRET_IN_LOGS = AssetCheckSpec(
    "no_secret_in_logs",
    asset="ops_report",
    description=f"The calls of the last {upkeep.LOG_DAYS} days hold no credential of the settings.",
)


@multi_asset_check(name="discovery_checks", specs=[_SOUND_CANDIDATES, _COMPLETE_LISTS], can_subset=True)
def discovery_checks(context: AssetCheckExecutionContext, catalogue: CatalogueResource) -> Iterator[AssetCheckResult]:
    """What must hold before a movie is asked for."""
    with catalogue.database() as (engine, _), engine.begin() as connection:
        for key in _selected(context):
            if key.name == _SOUND_CANDIDATES.name:
                advice = "TMDB's lists hold rubbish: see list_snapshots, and check TMDB_API_URL and any proxy."
                yield result(key, quality.sound_candidates(connection, context.run.run_id), advice, ERROR)
            else:
                advice = "A page failed, or TMDB has shortened the list. The next ingest asks for it again."
                yield result(key, quality.complete_lists(connection), advice, WARN)


@multi_asset_check(
    name="catalogue_checks",
    specs=[
        AssetCheckSpec(name, asset=check.asset, description=check.holds) for name, check in CATALOGUE_CHECKS.items()
    ],
    can_subset=True,
)
def catalogue_checks(context: AssetCheckExecutionContext, catalogue: CatalogueResource) -> Iterator[AssetCheckResult]:
    """What must hold in the catalogue."""
    with catalogue.database() as (engine, _), engine.begin() as connection:
        for key in _selected(context):
            check = CATALOGUE_CHECKS[key.name]
            yield result(key, check.find(connection), check.advice, check.severity)


@multi_asset_check(name="log_checks", specs=[_NO_SECRET_IN_LOGS])
def log_checks(catalogue: CatalogueResource) -> Iterator[AssetCheckResult]:
    """What must hold in the logs."""
    with catalogue.database() as (engine, settings), engine.begin() as connection:
        finding = upkeep.no_secret_in_logs(connection, settings.secrets())
    advice = "Revoke the credential at its provider, set a new one, and delete these rows of tmdb_api_logs."
    yield result(_NO_SECRET_IN_LOGS.key, finding, advice, ERROR)


def result(key: AssetCheckKey, finding: Finding, advice: str, severity: AssetCheckSeverity) -> AssetCheckResult:
    """What the UI shows of a finding: what to do, figures to plot, and examples."""
    metadata: dict[str, Any] = dict(finding.figures)
    if finding.examples:
        metadata["examples"] = MetadataValue.md("\n".join(f"* {example}" for example in finding.examples))
    return AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=finding.passed,
        severity=severity,
        description=None if finding.passed else advice,
        metadata=metadata,
    )


def _selected(context: AssetCheckExecutionContext) -> Iterable[AssetCheckKey]:
    return sorted(context.selected_asset_check_keys)


asset_checks = [discovery_checks, catalogue_checks, log_checks]
