from __future__ import annotations

import gzip
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine

from tmdb_dagster.transform.card import card_row
from tmdb_dagster.warehouse.movies import FetchedMovie, Written
from tmdb_dagster_tests.transform.builders import movie_body
from tmdb_dagster_tests.warehouse.database import (
    DERIVED,
    FETCHED_AT,
    add_work,
    claim_again,
    claimed_work,
    contents,
    execute,
    fetched_movie,
    movie_rows,
    rows,
    value,
    versions,
    write,
)

LATER = FETCHED_AT + timedelta(days=3)


def similar(*tmdb_ids: int) -> dict[str, Any]:
    return {"results": [{"id": tmdb_id} for tmdb_id in tmdb_ids]}


def test_a_movie_fills_every_table_and_ends_the_claim(engine: Engine) -> None:
    work_id = claimed_work(engine, 9001, ingestion_error="earlier", gone_at="now")

    written = write(engine, fetched_movie(work_id))

    assert written == Written(frozenset([work_id]), {work_id: card_row(movie_rows(work_id))}, {})
    [work] = rows(engine, "SELECT * FROM works")
    assert (work.ingestion_status, work.claimed_by, work.status_before_claim) == ("complete", None, None)
    assert (work.ingestion_error, work.gone_at) == (None, None)
    assert (work.last_refreshed_at, work.request_count) == (FETCHED_AT, 0)
    assert (work.title, work.imdb_id, work.year) == ("The Lighthouse Ledger", "tt9990001", 2019)
    expected = movie_rows(work_id)
    ours = ("updated_at", "last_seen_at", "computed_at", "created_at", "id", "rating_id")
    found = contents(engine, *DERIVED, without=ours)
    assert sorted(found.pop("aggregates"), key=lambda row: str(row["method_version"])) == expected.aggregates
    found["similar_movies"].sort(key=lambda row: (row["source"], row["rank_order"]))
    assert found == {
        "works_meta": [{**expected.meta, "fetched_at": "2026-11-23T02:22:07+00:00"}],
        "rating_sources": [expected.rating],
        "similar_movies": expected.similar,
        "work_cards_cache": [card_row(expected)],
    }


def test_the_answer_is_kept_compressed(engine: Engine) -> None:
    work_id = claimed_work(engine, 9001)

    write(engine, fetched_movie(work_id))

    [kept] = rows(engine, "SELECT * FROM movie_responses")
    plain = gzip.decompress(kept.body)
    assert orjson.loads(plain) == movie_body()
    assert (kept.work_id, kept.body_bytes, kept.fetched_at) == (work_id, len(plain), FETCHED_AT)
    assert len(kept.body) < len(plain)


def test_the_same_rows_again_rewrite_nothing(engine: Engine) -> None:
    first, second = claimed_work(engine, 1), claimed_work(engine, 2)
    movies = fetched_movie(first), fetched_movie(second, imdb_id="tt2")
    write(engine, *movies)
    before = versions(engine, *DERIVED), rows(engine, "SELECT updated_at FROM works ORDER BY work_id")
    claim_again(engine)

    write(engine, *movies)

    assert (versions(engine, *DERIVED), rows(engine, "SELECT updated_at FROM works ORDER BY work_id")) == before


def test_a_change_rewrites_only_what_it_changes(engine: Engine) -> None:
    first, second = claimed_work(engine, 1), claimed_work(engine, 2)
    write(engine, fetched_movie(first), fetched_movie(second, imdb_id="tt2"))
    before = versions(engine, *DERIVED)
    claim_again(engine)

    write(engine, fetched_movie(first), fetched_movie(second, imdb_id="tt2", tagline="Another."))

    after = versions(engine, *DERIVED)
    changed = {table: len(set(after[table]) - set(before[table])) for table in DERIVED}
    assert changed == {
        "works_meta": 1,
        "rating_sources": 0,
        "aggregates": 0,
        "similar_movies": 0,
        "work_cards_cache": 1,
    }
    assert value(engine, "SELECT tagline FROM works_meta WHERE work_id = :id", id=second) == "Another."


def test_an_unchanged_answer_moves_only_the_refresh_time(engine: Engine) -> None:
    work_id = claimed_work(engine, 9001)
    write(engine, fetched_movie(work_id))
    before = versions(engine, *DERIVED), contents(engine, "works", "movie_responses")
    claim_again(engine)

    written = write(engine, FetchedMovie(work_id, LATER, None, None))

    assert written.work_ids == {work_id}
    [work], [response] = (before[1][table] for table in ("works", "movie_responses"))
    later = "2026-11-26T02:22:07+00:00"
    assert versions(engine, *DERIVED) == before[0]
    assert contents(engine, "works", "movie_responses") == {
        "works": [{**work, "last_refreshed_at": later}],
        "movie_responses": [{**response, "fetched_at": later}],
    }


def test_a_card_that_says_the_same_is_not_rewritten(engine: Engine) -> None:
    """`last_updated` alone is no reason: clients would fetch it again for nothing."""
    work_id = claimed_work(engine, 9001)
    write(engine, fetched_movie(work_id))
    before = versions(engine, "work_cards_cache")
    claim_again(engine)

    write(engine, fetched_movie(work_id, fetched_at=LATER, popularity=1.0))

    assert versions(engine, "work_cards_cache") == before


def test_a_card_of_a_movie_that_comes_back_is_followed_anew(engine: Engine) -> None:
    work_id = claimed_work(engine, 9001)
    write(engine, fetched_movie(work_id))
    followed = "SELECT etag, computed_at FROM v_cards"
    [before] = rows(engine, followed)
    execute(engine, "UPDATE works SET gone_at = clock_timestamp()")
    assert rows(engine, followed) == []
    claim_again(engine)

    write(engine, FetchedMovie(work_id, LATER, None, None))

    [after] = rows(engine, followed)
    assert after.etag == before.etag
    assert after.computed_at > before.computed_at


def test_similar_movies_are_replaced_and_other_sources_kept(engine: Engine) -> None:
    work_id, neighbour = claimed_work(engine, 1), claimed_work(engine, 2)
    write(
        engine,
        fetched_movie(work_id, similar=similar(11, 12, 13), recommendations=similar(12, 20)),
        fetched_movie(neighbour, imdb_id="", similar=similar(11), recommendations=None),
    )
    execute(
        engine,
        "INSERT INTO similar_movies (work_id, similar_tmdb_id, source, rank_order) VALUES (:id, '11', 'other', 7)",
        id=work_id,
    )
    claim_again(engine)

    write(engine, fetched_movie(work_id, similar=similar(13, 14), recommendations=similar(14, 12)))

    found = rows(engine, "SELECT work_id, source, similar_tmdb_id, rank_order FROM similar_movies ORDER BY 1, 2, 4")
    assert [tuple(row) for row in found] == [
        (work_id, "other", "11", 7),
        (work_id, "tmdb", "13", 1),
        (work_id, "tmdb", "14", 2),
        (work_id, "tmdb_recommendation", "14", 1),
        (work_id, "tmdb_recommendation", "12", 2),
        (neighbour, "tmdb", "11", 1),
    ]
    assert value(engine, "SELECT similar_movie_ids FROM works_meta WHERE work_id = :id", id=work_id) == [13, 14]

    claim_again(engine)
    write(engine, fetched_movie(work_id, similar=similar(), recommendations=similar()))
    assert [
        tuple(row) for row in rows(engine, "SELECT source FROM similar_movies WHERE work_id = :id", id=work_id)
    ] == [("other",)]


def test_what_an_answer_does_not_say_stays(engine: Engine) -> None:
    work_id = claimed_work(engine, 9001)
    write(engine, fetched_movie(work_id))
    ids, recommended = {"imdb_id": "tt9990001", "wikidata_id": "Q5"}, [("32", 1), ("51", 2)]

    def found() -> tuple[Any, list[tuple[Any, ...]]]:
        query = "SELECT similar_tmdb_id, rank_order FROM similar_movies WHERE source = 'tmdb_recommendation' ORDER BY 2"
        return value(engine, "SELECT external_ids FROM works_meta"), [tuple(row) for row in rows(engine, query)]

    assert found() == (ids, recommended)
    claim_again(engine)
    write(engine, fetched_movie(work_id, external_ids=None, recommendations=None, tagline="New."))
    assert found() == (ids, recommended)
    assert value(engine, "SELECT tagline FROM works_meta") == "New."
    written = versions(engine, "works_meta", "similar_movies")
    claim_again(engine)
    write(engine, fetched_movie(work_id, external_ids=None, recommendations=None, tagline="New."))
    assert versions(engine, "works_meta", "similar_movies") == written

    claim_again(engine)
    write(engine, fetched_movie(work_id, external_ids={"imdb_id": None}, recommendations={"results": []}))
    assert found() == ({}, [])


def test_what_other_tools_write_is_left_alone(engine: Engine) -> None:
    work_id = claimed_work(engine, 9001)
    execute(engine, "ALTER TABLE works_meta ADD COLUMN moods text[], ADD COLUMN awards jsonb")
    execute(
        engine, "INSERT INTO works_meta (work_id, moods, awards) VALUES (:id, '{tense}', '{\"won\": 1}')", id=work_id
    )
    execute(
        engine,
        """INSERT INTO rating_sources (work_id, source_name, value_raw)
        VALUES (:id, 'Letterboxd', 4.1), (:id, 'TMDB', 1)""",
        id=work_id,
    )
    execute(
        engine,
        "INSERT INTO aggregates (work_id, method_version, ai_score) VALUES (:id, 'v0_of_old', 42)",
        id=work_id,
    )
    foreign = "rating_sources WHERE source_name = 'Letterboxd'", "aggregates WHERE method_version = 'v0_of_old'"
    before = [rows(engine, f"SELECT ctid, * FROM {table}") for table in foreign]

    write(engine, fetched_movie(work_id))

    assert [rows(engine, f"SELECT ctid, * FROM {table}") for table in foreign] == before
    assert tuple(rows(engine, "SELECT moods, awards, tagline FROM works_meta")[0]) == (
        ["tense"],
        {"won": 1},
        "Every light has a price.",
    )
    assert value(engine, "SELECT value_raw FROM rating_sources WHERE source_name = 'TMDB'") == pytest.approx(7.432)


def test_a_run_that_lost_its_claim_cannot_write(engine: Engine) -> None:
    lost, mine = claimed_work(engine, 1, "other"), claimed_work(engine, 2)
    free = add_work(engine, 3)
    before = contents(engine, "works")["works"]

    written = write(engine, *(fetched_movie(work_id, imdb_id="") for work_id in (lost, mine, free)))

    assert written.work_ids == {mine}
    assert {row.work_id for row in rows(engine, "SELECT work_id FROM works_meta")} == {mine}
    assert {row.work_id for row in rows(engine, "SELECT work_id FROM movie_responses")} == {mine}
    after = contents(engine, "works")["works"]
    assert [row for row in after if row["work_id"] != mine] == [row for row in before if row["work_id"] != mine]


def test_without_a_vote_average_there_is_no_rating(engine: Engine) -> None:
    work_id = claimed_work(engine, 9001)

    write(engine, fetched_movie(work_id, vote_average=None))

    assert rows(engine, "SELECT 1 FROM rating_sources") == []
    assert value(engine, "SELECT count(*) FROM aggregates") == 2


ARRAYS_AS_JSON = """ALTER TABLE works_meta ALTER genres TYPE jsonb USING to_jsonb(genres),
    ALTER keywords TYPE jsonb USING to_jsonb(keywords),
    ALTER similar_movie_ids TYPE jsonb USING to_jsonb(similar_movie_ids)"""
JSON_AS_ARRAYS = "ALTER TABLE works_meta ALTER still_images TYPE text[] USING NULL, ALTER budget TYPE numeric"
UUID = """ALTER TABLE similar_movies DROP COLUMN id, ADD COLUMN id uuid DEFAULT gen_random_uuid(),
    ADD COLUMN similar_work_id bigint"""
WIDER = "ALTER TABLE rating_sources ALTER value_raw TYPE numeric, ALTER votes_count TYPE bigint"


@pytest.mark.parametrize("drift", [ARRAYS_AS_JSON, JSON_AS_ARRAYS, UUID, WIDER])
def test_a_table_that_has_drifted_is_filled_and_not_rewritten(engine: Engine, drift: str) -> None:
    execute(engine, drift)
    work_id = claimed_work(engine, 9001)
    write(engine, fetched_movie(work_id))
    [meta] = contents(engine, "works_meta", without=("updated_at", "fetched_at"))["works_meta"]
    expected = {name: wanted for name, wanted in movie_rows(work_id).meta.items() if name != "fetched_at"}
    assert meta == expected
    before = versions(engine, *DERIVED)
    claim_again(engine)

    write(engine, fetched_movie(work_id))

    assert versions(engine, *DERIVED) == before
