"""Hostile and half answers: they cost their fields, at most their movie, never the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tmdb_dagster.pipeline.ingest import ingest_movie
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import REMOVE, Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.tmdb.parts import PARTS
from tmdb_dagster_tests.pipeline.enriching import enriched, some_movies
from tmdb_dagster_tests.warehouse.database import execute, rows, value

Start = Callable[..., Run]
ERROR = {"success": False, "status_code": 11, "status_message": "Internal error: Something went wrong."}
HUGE = 2**70
DEEP: Any = json.loads("[" * 200 + "]" * 200)
TOO_DEEP = json.loads("[" * 500 + "]" * 500)

# What a part says is lost with the part: its columns are empty, as if TMDB knew nothing.
COLUMNS_OF: dict[str, dict[str, Any]] = {
    "credits": {"cast_members": [], "crew_members": []},
    "videos": {"trailers": [], "trailer_youtube_id": None},
    "similar": {"similar_movie_ids": []},
    "release_dates": {"certification": None},
    "images": {"still_images": []},
    "keywords": {"keywords": []},
    "watch/providers": {"us": None},
    "translations": {},
    "recommendations": {},
    "external_ids": {"external_ids": None},
    "alternative_titles": {},
}


def test_a_part_that_is_missing_or_malformed_costs_its_own_fields(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    """Every part in every bad shape, each on a movie of its own, beside a movie that has them all."""
    shapes: list[Any] = [REMOVE, ERROR, None, [], "text", {"results": None, "cast": 7}]
    cases = [(part, shape) for part in PARTS for shape in shapes]
    complete, *ids = [603, *sandbox.catalogue.ids[-len(cases) :]]
    for tmdb_id, (part, shape) in zip(ids, cases, strict=True):
        sandbox.faults.add(Fault(f"/movie/{tmdb_id}", "patch", body={part: shape}))

    outcomes = enriched(start_run(), [complete, *ids])

    assert {outcome.status for outcome in outcomes.values()} == {"ingested"}
    assert outcomes[complete].message is None
    metas = {row.tmdb_id: row for row in rows(engine, "SELECT * FROM works JOIN works_meta USING (work_id)")}
    for tmdb_id, (part, _) in zip(ids, cases, strict=True):
        assert f"{part}: missing or malformed" in str(outcomes[tmdb_id].message)
        meta = metas[str(tmdb_id)]
        found = {**meta._asdict(), "us": (meta.streaming or {}).get("us")}
        assert {name: found[name] for name in COLUMNS_OF[part]} == COLUMNS_OF[part]
        assert meta.original_language is not None
    assert value(engine, "SELECT count(*) FROM work_cards_cache") == 1 + len(cases)


def test_an_answer_that_is_no_movie_costs_the_movie(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    patches: list[dict[str, Any]] = [
        {"title": None, "original_title": None},
        {"title": "", "original_title": " "},
        {"title": REMOVE, "original_title": REMOVE},
        {"title": ["a", "list"], "original_title": 5},
        {"id": 999},
        {"id": "603"},
        {"id": None},
    ]
    documents: list[Any] = [[], None, "text", 5, {}, ERROR, [[]]]
    sound, *ids = some_movies(sandbox, 1 + len(patches) + len(documents) + 1)
    for tmdb_id, patch in zip(ids, patches, strict=False):
        sandbox.faults.add(Fault(f"/movie/{tmdb_id}", "patch", body=patch))
    # The JSON library reads this, but does not write it.
    documents.append({"id": ids[-1], "title": "x", "garbage": TOO_DEEP})
    for tmdb_id, document in zip(ids[len(patches) :], documents, strict=True):
        sandbox.faults.add(Fault(f"/movie/{tmdb_id}", "body", body=json.dumps(document)))

    run = start_run()
    # Fewer at once than an outage has.
    outcomes = {**enriched(run, ids[:8]), **enriched(run, [sound]), **enriched(run, ids[8:])}

    assert {tmdb_id: outcome.status for tmdb_id, outcome in outcomes.items()} == {
        sound: "ingested",
        **dict.fromkeys(ids, "failed"),
    }
    assert sandbox.stats.faults_fired == len(ids)
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_error <> ''") == len(ids)
    assert value(engine, "SELECT count(*) FROM works_meta") == 1


def test_a_title_that_cannot_be_kept_does_not_cost_the_movie(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    titles = {" ": "Sommaren", "x" * 5000: "x" * 600}
    ids = some_movies(sandbox, len(titles))
    for tmdb_id, title in zip(ids, titles, strict=True):
        body = {"title": title, "original_title": "Sommaren"}
        sandbox.faults.add(Fault(f"/movie/{tmdb_id}", "patch", body=body))

    outcomes = enriched(start_run(), ids)

    assert [outcomes[tmdb_id].title for tmdb_id in ids] == list(titles.values())


SCALARS = (
    "SELECT title, imdb_id, release_date, year, runtime_minutes, budget, revenue_worldwide, genres, tagline, collection"
)


@pytest.mark.parametrize("lost", [REMOVE, "no such value", {"not": "a value"}], ids=["removed", "text", "object"])
def test_a_value_that_a_refresh_cannot_read_stays_as_it_was(
    lost: Any, start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    whole = {
        "title": "Low Tide",
        "imdb_id": "tt9000603",
        "release_date": "2001-02-03",
        "runtime": 101,
        "budget": 5,
        "revenue": 7,
        "genres": [{"id": 1, "name": "Drama"}],
        "belongs_to_collection": {"id": 9, "name": "Tides"},
    }
    sandbox.faults.add(Fault("/movie/603", "patch", body=whole, times=1))
    ingest_movie(start_run("first"), 603)
    [before] = rows(engine, f"{SCALARS} FROM works JOIN works_meta USING (work_id)")
    assert before.runtime_minutes == 101
    broken = dict.fromkeys(whole, lost) | {"title": " ", "tagline": "New"}
    sandbox.faults.add(Fault("/movie/603", "patch", body=broken, times=1))

    outcome = ingest_movie(start_run("second"), 603, force_refresh=True)

    assert outcome.status == "ingested"
    assert "runtime: as it was before, for TMDB's answer does not say it" in str(outcome.message)
    [after] = rows(engine, f"{SCALARS} FROM works JOIN works_meta USING (work_id)")
    assert after._asdict() == {**before._asdict(), "tagline": "New"}


def _translation(language: Any, country: Any, data: Any) -> dict[str, Any]:
    return {"iso_639_1": language, "iso_3166_1": country, "data": data}


OUT_OF_RANGE: list[dict[str, Any]] = [
    {"budget": HUGE, "revenue": -1, "runtime": 2**40, "vote_count": 2**31},
    {"budget": 1e300, "runtime": "139", "vote_average": 11, "popularity": -5},
    {"vote_average": 1e-320, "popularity": 1e-320},
    {"release_date": "0000-00-00"},
    {"release_date": "9999-12-31"},
    {"release_date": "2020-02-30"},
    {"imdb_id": "'; DROP TABLE works; --"},
    {"overview": "\0", "tagline": "a\0b", "title": "Null\0"},
    {"overview": "x" * 3_000_000, "poster_path": "y" * 100_000},
    {"genres": [{"name": None}, {"name": "Drama"}, 5, {"name": "a\0"}], "spoken_languages": {"en": 1}},
    {"genres": DEEP, "production_companies": [{"id": HUGE, "name": "x"}], "extra": {"deep": DEEP}},
    {"belongs_to_collection": [], "production_countries": None},
    {"credits": {"cast": [None, {"id": 1}, {"id": HUGE, "name": "x"}], "crew": [{"job": "Director"}]}},
    {"watch/providers": {"results": {"US": [], "U\0S": {}}}},
    {"similar": {"results": [{"id": 0}, {"id": HUGE}, {"id": 5}, {"id": 5}, {"id": 603}]}},
    {
        "recommendations": {
            "results": [
                None,
                {"id": HUGE},
                {"id": 603},
                *({"id": 5, "title": "x\0" * 9, "poster_path": 7},) * 3,
                {"id": "6"},
            ]
        }
    },
    {
        "external_ids": {
            "imdb_id": "no id",
            "wikidata_id": "Q\0",
            "facebook_id": 10**12,
            "twitter_id": ["x"],
            "new": DEEP,
        }
    },
    {
        "title": "",
        "overview": None,
        "translations": {
            "translations": [
                *(_translation("en", "US", {"title": "", "overview": 5, "tagline": DEEP}) for _ in range(10_000)),
                _translation("zh-Hant-TW", "TW", {"title": "\0"}),
                _translation(None, {"US": 1}, [1]),
                _translation("en", "GB", {"title": "T\0", "overview": "O\0" * 100_000}),
            ]
        },
    },
]


def test_fields_out_of_range_cost_themselves(
    start_run: Start, engine: Engine, sandbox: SandboxServer, subtests: pytest.Subtests
) -> None:
    run = start_run()
    usual = run.tmdb.movie(603)
    for patch in OUT_OF_RANGE:
        with subtests.test(", ".join(patch)):
            sandbox.reset()
            execute(engine, "DELETE FROM works")
            # As text: numbers as large as these are JSON, but not every writer of JSON writes them.
            sandbox.faults.add(Fault("/movie/603", "body", body=json.dumps({**usual, **patch})))

            assert ingest_movie(run, 603).status == "ingested"

            assert sandbox.stats.faults_fired == 1
            [work] = rows(engine, "SELECT * FROM works JOIN work_cards_cache USING (work_id)")
            assert (work.ingestion_status, work.payload["tmdb_id"]) == ("complete", "603")
            assert "\0" not in work.title


def test_the_text_of_an_error_cannot_hurt(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    messages = ["a NUL \0 in it", "x" * 1_000_000, ["not", "a", "text"], "line\nbreak \u2028"]
    cases = [(status, message) for status in (400, 404, 500) for message in messages]
    sound, *ids = some_movies(sandbox, 1 + len(cases))
    for tmdb_id, (status, message) in zip(ids, cases, strict=True):
        body = {"success": False, "status_code": 5, "status_message": message}
        sandbox.faults.add(Fault(f"/movie/{tmdb_id}", "status", status, body=body))
    run = start_run()

    outcomes = enriched(run, [sound, *ids])
    run.api_log.close()

    assert [outcomes[tmdb_id].status for tmdb_id in [sound, *ids]] == [
        "ingested",
        *("gone" if status == 404 else "failed" for status, _ in cases),
    ]
    lengths = rows(engine, "SELECT length(ingestion_error) AS n FROM works WHERE ingestion_status = 'failed'")
    assert len(lengths) == len(cases) - len(messages), "nothing is left of what TMDB does not know"
    assert all(0 < row.n <= 1000 for row in lengths)
    assert value(engine, "SELECT count(*) FROM tmdb_api_logs") == run.api_log.calls.total.calls


def test_numbers_that_python_writes_and_json_does_not_have(start_run: Start, sandbox: SandboxServer) -> None:
    sandbox.faults.add(Fault("/movie/603", "body", body='{"id": 603, "title": "x", "budget": NaN}'))

    assert enriched(start_run(), [603])[603].status == "failed"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-HUGE, HUGE)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=8,
)
FIELDS = (
    *PARTS,
    "imdb_id",
    "overview",
    "release_date",
    "runtime",
    "budget",
    "vote_average",
    "vote_count",
    "poster_path",
    "belongs_to_collection",
    "genres",
    "production_companies",
    "spoken_languages",
)


def test_no_value_of_any_field_costs_the_movie(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    run = start_run()
    usual = run.tmdb.movie(603)

    @hypothesis_settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.dictionaries(st.sampled_from(FIELDS), json_values, min_size=1, max_size=4))
    def ingests(patch: dict[str, Any]) -> None:
        sandbox.faults.clear()
        sandbox.faults.add(Fault("/movie/603", "body", body=json.dumps({**usual, **patch})))
        assert ingest_movie(run, 603, force_refresh=True).status in ("ingested", "unchanged")
        assert sandbox.faults.fired == 1

    ingests()
