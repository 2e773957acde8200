"""Movies are found by their titles."""

from __future__ import annotations

from dagster import DagsterInstance
from sqlalchemy import Engine

from tmdb_dagster_tests.defs.conftest import Execute
from tmdb_dagster_tests.defs.events import materializations, metadata
from tmdb_dagster_tests.warehouse.database import add_work


def test_every_title_links_to_its_movie_under_its_initial(
    execute: Execute, instance: DagsterInstance, engine: Engine
) -> None:
    add_work(engine, 603, title="The [Matrix]", year=1999)
    add_work(engine, 2, title="Ångström")
    add_work(engine, 3, title="aardvark")
    add_work(engine, 4, title="12 Angry Men")
    add_work(engine, 5, title="七人の侍")
    add_work(engine, 6, title="¡Three Amigos!")

    assert execute("ops_report").success

    (listed,) = materializations(instance, "movie_titles")
    page = "/assets/movies?view=partitions&partition="
    assert metadata(listed) == {
        "0-9": f"* [12 Angry Men]({page}4)",
        "A": f"* [aardvark]({page}3)\n* [Ångström]({page}2)",
        "T": f"* [The \\[Matrix\\] (1999)]({page}603)",
        "others": f"* [¡Three Amigos!]({page}6)\n* [七人の侍]({page}5)",
    }


def test_an_empty_catalogue_has_no_titles(execute: Execute, instance: DagsterInstance, engine: Engine) -> None:
    assert execute("ops_report").success

    (listed,) = materializations(instance, "movie_titles")
    assert metadata(listed) == {}
