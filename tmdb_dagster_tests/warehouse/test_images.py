"""The inventory of images, as several runs and several movies write it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from sqlalchemy import Engine

from tmdb_dagster.transform.image_plan import WantedImage
from tmdb_dagster.warehouse.images import ImageResult, claim_images, register_images, settle_images
from tmdb_dagster_tests.warehouse.database import add_work, rows, take_lease, value

STORE = "folder /images"
FIRST = datetime(2026, 11, 20, 3, tzinfo=UTC)


def photo(path: str, day: int) -> WantedImage:
    """The photo of a person who plays in several movies, as an answer of that day names it."""
    return WantedImage("cast/31.jpg", "cast", None, "31", path, "w185", FIRST + timedelta(days=day))


OLD, NEWER, NEWEST = photo("/old.jpg", 0), photo("/newer.jpg", 1), photo("/newest.jpg", 2)


def claimed(engine: Engine, *images: WantedImage, everything: bool = False) -> list[str]:
    """The sources that a run is to fetch, for a new movie that shows these images."""
    take_lease(engine, "run-1")
    work_id = add_work(engine, value(engine, "SELECT count(*) + 1 FROM works"))
    with engine.begin() as connection:
        images_claimed = claim_images(connection, "run-1", STORE, images, shown_by=work_id, everything=everything)
        return [image.source_path for image in images_claimed]


def settled(engine: Engine, image: WantedImage, error: str | None = None) -> None:
    with engine.begin() as connection:
        settle_images(connection, "run-1", STORE, [ImageResult(image, 10, 1, 1, "hash", error)])


def registered(engine: Engine, image: WantedImage) -> None:
    with engine.begin() as connection:
        register_images(connection, [image])


def source(engine: Engine) -> tuple[str, str]:
    [row] = rows(engine, "SELECT source_path, status FROM image_inventory")
    return row.source_path, row.status


def test_an_older_answer_never_changes_a_stored_photo_back(engine: Engine) -> None:
    assert claimed(engine, NEWEST) == ["/newest.jpg"]
    settled(engine, NEWEST)

    assert claimed(engine, OLD) == []
    registered(engine, NEWER)

    assert source(engine) == ("/newest.jpg", "stored")


def test_a_newer_answer_changes_it(engine: Engine) -> None:
    assert claimed(engine, OLD) == ["/old.jpg"]
    settled(engine, OLD)

    assert claimed(engine, NEWER) == ["/newer.jpg"]
    settled(engine, NEWER)
    registered(engine, NEWEST)

    assert source(engine) == ("/newest.jpg", "pending")


def test_an_older_answer_that_asks_again_for_a_missing_photo_gets_the_newest(engine: Engine) -> None:
    """And it does not make the newest look as old as itself: an answer between the two changes nothing either."""
    assert claimed(engine, NEWEST) == ["/newest.jpg"]
    settled(engine, NEWEST, "HTTP 503")

    assert claimed(engine, OLD, everything=True) == ["/newest.jpg"]
    settled(engine, NEWEST, "HTTP 503")
    assert value(engine, "SELECT source_at FROM image_inventory") == NEWEST.source_at
    assert claimed(engine, NEWER, everything=True) == ["/newest.jpg"]


@pytest.mark.parametrize("order", list(permutations((OLD, NEWER, NEWEST))))
def test_of_answers_at_once_the_newest_names_the_source(engine: Engine, order: tuple[WantedImage, ...]) -> None:
    assert claimed(engine, *order) == ["/newest.jpg"]


def test_a_source_from_the_future_keeps_no_newer_one_out(engine: Engine) -> None:
    """A run whose clock was wrong named it."""
    assert claimed(engine, OLD) == ["/old.jpg"]
    settled(engine, OLD)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE image_inventory SET source_at = now() + interval '3 days'")

    assert claimed(engine, NEWER) == ["/newer.jpg"]
