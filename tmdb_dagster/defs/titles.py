"""The movies by their titles, as an asset: Dagster finds a partition by its key alone, which is a TMDB id."""

from collections import defaultdict
from collections.abc import Iterable
from unicodedata import normalize

from dagster import AssetExecutionContext, MaterializeResult, MetadataValue, asset

from tmdb_dagster.defs.links import movie_link
from tmdb_dagster.defs.resources import CatalogueResource
from tmdb_dagster.defs.tables import OWNERS
from tmdb_dagster.defs.times import AFTER_DAILY_REPORT
from tmdb_dagster.transform.attribution import attribution_markdown

TITLES = 2_000
"""Those that are listed: the UI asks for a hundred lists at once."""


@asset(
    deps=["works"],
    group_name="catalogue",
    owners=OWNERS,
    kinds={"postgres", "markdown"},
    freshness_policy=AFTER_DAILY_REPORT,
    description="The movies by the first letter of their titles, each with a link to its partition of `movies`. It is "
    f"made together with `ops_report`. Of more than {TITLES:,} movies the newest are listed; `tmdb-dagster catalogue` "
    "searches all.\n\n" + attribution_markdown(with_justwatch=False),
)
def movie_titles(context: AssetExecutionContext, catalogue: CatalogueResource) -> MaterializeResult[None]:
    """List the titles of this moment."""
    from tmdb_dagster.warehouse.browse import newest_titles

    with catalogue.database(context.op_execution_context) as (engine, _), engine.begin() as connection:
        titles = newest_titles(connection, TITLES)
    lists = by_initial((title, movie_link(tmdb_id, title)) for tmdb_id, title in titles.items())
    return MaterializeResult(metadata={initial: MetadataValue.md("\n".join(links)) for initial, links in lists.items()})


def by_initial(titles: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Items of a list, in the order of their titles, by initials: A to Z (Å is A), 0-9, and others."""
    lists: dict[str, list[str]] = defaultdict(list)
    for title, link in sorted((normalize("NFKD", title).casefold().strip(), link) for title, link in titles):
        initial = title[:1].upper()
        name = initial if "A" <= initial <= "Z" else "0-9" if initial.isdecimal() else "others"
        lists[name].append(f"* {link}")
    return dict(sorted(lists.items()))
