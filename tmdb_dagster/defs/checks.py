"""Asset checks: the list of warehouse/checks as Dagster's, with the same words that everybody else shows.

One op evaluates many, on one connection. In a run that ingested candidates, those of movies look at these movies alone,
so that an ingest costs the same however large the catalogue is. The job data_quality evaluates all, of the whole.
"""

from collections.abc import Iterator
from typing import Any

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckKey,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    MetadataValue,
    multi_asset_check,
)

from tmdb_dagster.defs.resources import CatalogueResource
from tmdb_dagster.shown import in_markdown
from tmdb_dagster.transform.health import Finding
from tmdb_dagster.warehouse.batches import has_batch
from tmdb_dagster.warehouse.checks import CHECKS
from tmdb_dagster.warehouse.checks.check import find

_OPS = {
    "discovery_checks": ("What must hold before a movie is asked for.", {"candidates"}),
    "catalogue_checks": (
        "What must hold in the catalogue.",
        {"works", "works_meta", "aggregates", "work_cards_cache"},
    ),
    "log_checks": ("What must hold of the calls to TMDB, and in their log.", {"ops_report"}),
}


def _checks(op: str, description: str, assets: set[str]) -> AssetChecksDefinition:
    """One op for all checks of some assets."""

    @multi_asset_check(
        name=op,
        description=description,
        specs=[
            AssetCheckSpec(check.name, asset=check.asset, description=check.holds, blocking=check.blocks)
            for check in CHECKS.values()
            if check.asset in assets
        ],
        can_subset=True,
    )
    def evaluate(context: AssetCheckExecutionContext, catalogue: CatalogueResource) -> Iterator[AssetCheckResult]:
        with catalogue.database(context.op_execution_context) as (engine, settings), engine.begin() as connection:
            run_id = context.run.run_id
            ingested = has_batch(connection, run_id)
            for key in sorted(context.selected_asset_check_keys):
                check = CHECKS[key.name]
                yield result(find(connection, check, run_id=run_id, ingested=ingested, redact=settings.redact))

    return evaluate


def result(finding: Finding) -> AssetCheckResult:
    """What the UI shows of a finding: what is wrong and what to do, figures to plot, and examples."""
    metadata: dict[str, Any] = dict(finding.figures)
    if finding.examples:
        metadata["examples"] = MetadataValue.md("\n".join(f"* {in_markdown(example)}" for example in finding.examples))
    return AssetCheckResult(
        asset_key=finding.asset,
        check_name=finding.name,
        passed=finding.passed,
        severity=AssetCheckSeverity.ERROR if finding.severity == "error" else AssetCheckSeverity.WARN,
        description=None if finding.passed else f"{finding.text} {finding.advice}",
        metadata=metadata,
    )


INGEST_CHECKS = [
    AssetCheckKey(AssetKey(check.asset), check.name)
    for check in CHECKS.values()
    if check.of_movies or check.asset == "candidates"
]
"""What an ingest evaluates: its own lists, candidates and movies."""

asset_checks = [_checks(op, *of) for op, of in _OPS.items()]
