"""The operator's report as an asset."""

from dagster import AssetExecutionContext, AssetSpec, MaterializeResult, MetadataValue, multi_asset

from tmdb_dagster.defs.discovery import SNAPSHOTS
from tmdb_dagster.defs.metadata import health_figures
from tmdb_dagster.defs.resources import CatalogueResource
from tmdb_dagster.defs.tables import OWNERS
from tmdb_dagster.defs.times import AFTER_DAILY_REPORT
from tmdb_dagster.shown import visible
from tmdb_dagster.transform.attribution import attribution_markdown


@multi_asset(
    # The job has the asset's name, which Dagster allows only if the op has another.
    name="draw_ops_report",
    specs=[
        AssetSpec(
            "ops_report",
            deps=[*SNAPSHOTS.values(), "works"],
            group_name="operations",
            owners=OWNERS,
            kinds={"postgres", "markdown"},
            freshness_policy=AFTER_DAILY_REPORT,
            description="What was done, what it cost, what is wrong, and what changed in the lists: in short at the "
            "metadata `summary`, and with charts and tables at those below it (*Show Markdown*).\n\n"
            + attribution_markdown(with_justwatch=True),
        )
    ],
)
def ops_report(context: AssetExecutionContext, catalogue: CatalogueResource) -> MaterializeResult[None]:
    """Draw the report of this moment."""
    from tmdb_dagster.pipeline.ops_report import ops_data
    from tmdb_dagster.report.ops_report import ops_report as draw
    from tmdb_dagster.report.summary import summary

    with catalogue.database(context.op_execution_context) as (engine, settings), engine.begin() as connection:
        data = ops_data(connection, settings.tmdb_rate_limit)
    for problem in data.health.problems:
        context.log.warning(visible(f"{problem.name}: {problem.text} {problem.advice}"))
    return MaterializeResult(
        metadata={
            "summary": MetadataValue.md(summary(data)),
            **{title: MetadataValue.md(section) for title, section in draw(data).markdown().items()},
            **health_figures(data.health),
        }
    )
