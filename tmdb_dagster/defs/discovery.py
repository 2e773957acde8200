"""Discovery as assets: a snapshot of each list, and the candidates chosen from them."""

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from dagster import AssetExecutionContext, AssetSpec, Config, MaterializeResult, multi_asset
from pydantic import Field

from tmdb_dagster.defs.metadata import candidates_metadata, snapshot_metadata
from tmdb_dagster.defs.resources import CatalogueResource
from tmdb_dagster.defs.tables import OWNERS, table_spec
from tmdb_dagster.defs.times import AFTER_WEEKLY_INGEST
from tmdb_dagster.shown import visible
from tmdb_dagster.transform.attribution import TMDB_NOTICE

if TYPE_CHECKING:
    from tmdb_dagster.pipeline.discover import Snapshot
    from tmdb_dagster.tmdb.client import ListSource
    from tmdb_dagster.warehouse.call_figures import RunCalls

SNAPSHOTS: "dict[ListSource, str]" = {
    "popular": "popular_snapshot",
    "now_playing": "now_playing_snapshot",
    "trending": "trending_snapshot",
}


class IngestCandidatesConfig(Config):
    """What to discover."""

    source: Literal["popular", "now_playing", "trending", "all", "mixed_daily", "mixed_weekly"] = Field(
        "all",
        description="The lists to ask; mixed_daily: now_playing and trending, mixed_weekly: popular and trending.",
    )
    max_movies: int = Field(20, description="Most new movies to ingest, 1 or more.")
    pages_per_source: int = Field(5, description="Most pages to ask of each list, 1 to 500; 20 movies a page.")
    trigger_type: Literal["scheduled", "manual"] = Field("manual", description="What the log says started it.")


def _snapshot_spec(source: "ListSource") -> AssetSpec:
    return table_spec("list_snapshots", group="discovery", deps=[]).replace_attributes(
        key=SNAPSHOTS[source],
        skippable=True,
        description=f"TMDB's list '{source}', page by page, kept at every ingest (rows of list_snapshots). "
        f"Materialised without `candidates`, the list is asked for and kept, and nothing is chosen.\n\n{TMDB_NOTICE}",
        kinds={"tmdb", "postgres"},
        freshness_policy=AFTER_WEEKLY_INGEST,
    )


@multi_asset(
    name="ingest_candidates",
    specs=[
        *(_snapshot_spec(source) for source in SNAPSHOTS),
        AssetSpec(
            "candidates",
            deps=list(SNAPSHOTS.values()),
            group_name="discovery",
            owners=OWNERS,
            kinds={"postgres"},
            freshness_policy=AFTER_WEEKLY_INGEST,
            description="The movies chosen for ingestion: each once, none that works has, best ranked first. They are "
            "chosen from the snapshots that are materialised with them, and otherwise from the newest one of each list "
            "of `source`. Materialised without the tables, they wait for a run that materialises one.",
        ),
    ],
    can_subset=True,
)
def ingest_candidates(
    context: AssetExecutionContext, config: IngestCandidatesConfig, catalogue: CatalogueResource
) -> Iterator[MaterializeResult[None]]:
    """Fetch the lists and choose the candidates, or go on with those of an ingest that was interrupted."""
    from tmdb_dagster.defs.failures import clear_failures
    from tmdb_dagster.pipeline.discover import IngestRequest, discover, take_snapshots

    started = time.monotonic()
    selected = {key.to_user_string() for key in context.selected_asset_keys}
    lists = [source for source, asset in SNAPSHOTS.items() if asset in selected]
    with clear_failures():
        request = IngestRequest(**config.model_dump())
    with catalogue.run(context.op_execution_context) as run:
        if "candidates" not in selected:
            snapshots, problems = take_snapshots(run, request, lists)
            yield from _snapshot_results(context, snapshots, problems, run.api_log.calls)
            return
        ingested_next = "enrich_candidates" in (node.name for node in context.job_def.nodes)
        found = discover(run, request, asked=lists, ingests=ingested_next)
        if ingested_next:
            run.lease.hand_over()
        calls = run.api_log.calls
    if found.resumed:
        context.log.info("Going on with the interrupted ingest of %s.", found.batch.started_at)
    yield from _snapshot_results(context, found.snapshots, found.problems, calls)
    yield MaterializeResult(
        asset_key="candidates", metadata=candidates_metadata(found, calls, time.monotonic() - started)
    )


def _snapshot_results(
    context: AssetExecutionContext, snapshots: "Iterable[Snapshot]", problems: Iterable[str], calls: "RunCalls"
) -> Iterator[MaterializeResult[None]]:
    """A materialisation of each snapshot that was taken; what was wrong with its pages is warned of."""
    from tmdb_dagster.tmdb.client import LIST_PATHS

    for problem in problems:
        context.log.warning(visible(problem))
    for snapshot in snapshots:
        yield MaterializeResult(
            asset_key=SNAPSHOTS[snapshot.source],
            metadata=snapshot_metadata(snapshot, calls.of(LIST_PATHS[snapshot.source])),
        )
