"""Asset checks: what must hold in the tables."""

from dagster import AssetCheckResult, AssetCheckSeverity, asset_check

from tmdb_dagster.defs.resources import CatalogueResource


@asset_check(asset="works", description="TMDB's terms of use: nothing is kept for six months without a refresh.")
def refreshed_within_six_months(catalogue: CatalogueResource) -> AssetCheckResult:
    """Fails where a movie's data is older than six months."""
    from sqlalchemy import text

    with catalogue.database() as (engine, _), engine.begin() as connection:
        old = connection.scalar(
            text("SELECT count(*) FROM works WHERE last_refreshed_at < now() - interval '6 months'")
        )
    return AssetCheckResult(
        passed=old == 0, severity=AssetCheckSeverity.WARN, metadata={"works older than six months": old or 0}
    )


@asset_check(asset="works_meta", description="Every image that movies show is in our store, or soon will be.")
def images_rehosted(catalogue: CatalogueResource) -> AssetCheckResult:
    """Fails where images were given up: the repair tries them no more unless a person starts it."""
    from tmdb_dagster.warehouse.images import coverage

    with catalogue.database() as (engine, _), engine.begin() as connection:
        images = coverage(connection)
    return AssetCheckResult(
        passed=not images.get("gave_up"),
        severity=AssetCheckSeverity.WARN,
        description="Run the job repair_images; image_inventory.last_error says why."
        if images.get("gave_up")
        else None,
        metadata={status: images.get(status, 0) for status in ("stored", "pending", "failed", "gave_up")},
    )


asset_checks = [refreshed_within_six_months, images_rehosted]
