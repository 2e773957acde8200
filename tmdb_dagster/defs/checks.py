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


asset_checks = [refreshed_within_six_months]
