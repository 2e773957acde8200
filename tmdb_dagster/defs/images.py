"""The rehosted images as an asset, one partition a movie, and their repair."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetExecutionContext,
    AssetMaterialization,
    Config,
    MaterializeResult,
    OpExecutionContext,
    Out,
    Output,
    asset,
    op,
)
from pydantic import Field

from tmdb_dagster.defs.links import written_by
from tmdb_dagster.defs.metadata import image_metadata, repaired_metadata
from tmdb_dagster.defs.movies import SCHEDULES, SENSORS, WRITERS
from tmdb_dagster.defs.partitions import movie_partitions, tmdb_id_of
from tmdb_dagster.defs.resources import CatalogueResource
from tmdb_dagster.defs.tables import OWNERS
from tmdb_dagster.shown import visible
from tmdb_dagster.transform.attribution import attribution_markdown

if TYPE_CHECKING:
    from tmdb_dagster.pipeline.repair import RepairReport
    from tmdb_dagster.transform.rows import MovieRows


class RepairImagesConfig(Config):
    """What to repair."""

    everything: bool = Field(True, description="Try all that is missing now; otherwise only what is due.")
    verify: bool = Field(True, description="First compare the inventory with what the store really has.")


@asset(
    partitions_def=movie_partitions,
    deps=["movies"],
    group_name="catalogue",
    owners=OWNERS,
    kinds={"tmdb", "file"},  # the settings say where: a bucket, or a folder
    description="\n\n".join(
        [
            "Posters, backdrops, cast photos, stills and thumbnails of each movie in our own store, fetched once.",
            "They come with the movie; materialise this to fetch at once what is missing.",
            written_by([*WRITERS, "repair_images"], schedules=[*SCHEDULES, "repair_images_schedule"], sensors=SENSORS),
            attribution_markdown(with_justwatch=False),
        ]
    ),
)
def movie_images(context: AssetExecutionContext, catalogue: CatalogueResource) -> MaterializeResult[None]:
    """Fetch what is missing of the images of this partition's movie."""
    from tmdb_dagster.pipeline.repair import repair_movie

    with catalogue.run(context.op_execution_context) as run:
        rows, report = repair_movie(run, tmdb_id_of(context.partition_key))
    for error in report.errors:
        context.log.warning(visible(error))
    return MaterializeResult(metadata=image_metadata(report, rows.meta["poster_url_medium"]))


@op(out=Out(dict))
def repair_images(
    context: OpExecutionContext, config: RepairImagesConfig, catalogue: CatalogueResource
) -> Iterator[Output[dict[str, int]]]:
    """Fetch images that are missing, and update the movies that show them."""
    from tmdb_dagster.pipeline.repair import repair_images as repair

    def record(rows: "MovieRows") -> None:
        key = rows.work["tmdb_id"]
        context.instance.add_dynamic_partitions(str(movie_partitions.name), [key])
        context.log_event(AssetMaterialization("movie_images", partition=key, metadata=repaired_metadata(rows)))

    def tell(so_far: "RepairReport") -> None:
        context.log.info("Fetched %s images, and %s failed", so_far.fetched, so_far.failed)

    with catalogue.run(context) as run:
        report = repair(run, record, tell, everything=config.everything, verify=config.verify)
    for error in report.errors:
        context.log.warning(visible(error))
    figures = {
        "orphaned files removed": report.orphans,
        "lost": report.lost,
        "fetched": report.fetched,
        "failed": report.failed,
        "bytes": report.bytes,
        "movies updated": report.movies,
    }
    yield Output(figures, metadata=figures)


def repair_config(moment: datetime) -> dict[str, Any]:
    """The run config of a scheduled repair: what is due, and once a day a comparison with the store."""
    config = {"everything": False, "verify": moment.hour == 4}
    return {"ops": {"repair_images": {"config": config}}}
