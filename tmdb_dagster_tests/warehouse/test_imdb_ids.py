"""TMDB sometimes gives two movies one IMDb id; works allows it once, and no movie may be lost for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from tmdb_dagster.transform.card import card_row
from tmdb_dagster.warehouse.movies import write_movies
from tmdb_dagster_tests.warehouse.database import (
    add_work,
    claim_again,
    claimed_work,
    execute,
    fetched_movie,
    movie_rows,
    rows,
    until,
    waits_for_a_lock,
    write,
)


def imdb_ids(engine: Engine) -> dict[int, tuple[str | None, str]]:
    found = rows(engine, "SELECT work_id, imdb_id, ingestion_status FROM works")
    return {row.work_id: (row.imdb_id, row.ingestion_status) for row in found}


def test_within_a_batch_the_first_has_it(engine: Engine) -> None:
    first, second, third = (claimed_work(engine, tmdb_id) for tmdb_id in (1, 2, 3))

    written = write(
        engine,
        fetched_movie(first, imdb_id="tt1"),
        fetched_movie(second, imdb_id="tt1"),
        fetched_movie(third, imdb_id="tt3"),
    )

    assert written.imdb_clashes == {second: "tt1"}
    assert imdb_ids(engine) == {
        first: ("tt1", "complete"),
        second: (None, "complete"),
        third: ("tt3", "complete"),
    }


def test_whoever_has_it_keeps_it(engine: Engine) -> None:
    owner = add_work(engine, 1, imdb_id="tt1", ingestion_status="complete")
    late = claimed_work(engine, 2)

    written = write(engine, fetched_movie(late, imdb_id="tt1"))

    assert written.imdb_clashes == {late: "tt1"}
    assert imdb_ids(engine) == {owner: ("tt1", "complete"), late: (None, "complete")}
    [card] = rows(engine, "SELECT payload, etag FROM work_cards_cache")
    assert card.payload["imdb_id"] is None
    assert card.etag == written.cards[late]["etag"] == card_row(movie_rows(late, imdb_id=None))["etag"]


def test_a_movie_does_not_clash_with_itself(engine: Engine) -> None:
    work_id = claimed_work(engine, 1)
    write(engine, fetched_movie(work_id, imdb_id="tt1"))
    claim_again(engine)

    assert write(engine, fetched_movie(work_id, imdb_id="tt1", tagline="New.")).imdb_clashes == {}
    assert imdb_ids(engine) == {work_id: ("tt1", "complete")}


def test_movies_without_one_do_not_clash(engine: Engine) -> None:
    first, second = claimed_work(engine, 1), claimed_work(engine, 2)

    written = write(engine, fetched_movie(first, imdb_id=""), fetched_movie(second, imdb_id=None))

    assert written.imdb_clashes == {}
    assert imdb_ids(engine) == {first: (None, "complete"), second: (None, "complete")}


def test_a_corrected_id_is_taken_over(engine: Engine) -> None:
    work_id = claimed_work(engine, 1)
    write(engine, fetched_movie(work_id, imdb_id="tt1"))
    claim_again(engine)

    write(engine, fetched_movie(work_id, imdb_id="tt2"))

    assert imdb_ids(engine) == {work_id: ("tt2", "complete")}


def test_of_two_runs_at_once_one_has_it_and_both_movies_land(engine: Engine) -> None:
    first, second = claimed_work(engine, 1, "run-1"), claimed_work(engine, 2, "run-2")
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection:
            write_movies(connection, "run-1", [fetched_movie(first, imdb_id="tt1")])
            later = pool.submit(write, engine, fetched_movie(second, imdb_id="tt1"), run_id="run-2")
            until(lambda: waits_for_a_lock(engine), "the second run to wait for the first")
            assert connection.scalar(text("SELECT 1")) == 1

        assert later.result().imdb_clashes == {second: "tt1"}
    assert imdb_ids(engine) == {first: ("tt1", "complete"), second: (None, "complete")}


def test_if_the_other_run_fails_the_waiting_one_has_it(engine: Engine) -> None:
    first, second = claimed_work(engine, 1, "run-1"), claimed_work(engine, 2, "run-2")
    with ThreadPoolExecutor(1) as pool:
        with engine.connect() as connection:
            transaction = connection.begin()
            write_movies(connection, "run-1", [fetched_movie(first, imdb_id="tt1")])
            later = pool.submit(write, engine, fetched_movie(second, imdb_id="tt1"), run_id="run-2")
            until(lambda: waits_for_a_lock(engine), "the second run to wait for the first")
            transaction.rollback()

        assert later.result().imdb_clashes == {}
    assert imdb_ids(engine) == {first: (None, "ingesting"), second: ("tt1", "complete")}


def test_another_constraint_that_is_in_the_way_is_an_error(engine: Engine) -> None:
    execute(engine, "ALTER TABLE works ADD CHECK (year < 2000)")

    with pytest.raises(IntegrityError, match="works_year_check"):
        write(engine, fetched_movie(claimed_work(engine, 1)))
