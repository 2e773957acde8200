"""Discovery: which lists are asked, what is kept of them, and which movies are chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from tmdb_dagster.pipeline.discover import IngestRequest, discover
from tmdb_dagster.pipeline.errors import InvalidRequest, ListsUnavailable
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.tmdb.errors import AuthenticationFailed
from tmdb_dagster_tests.warehouse.database import add_work, rows, until, value

Start = Callable[..., Run]
PATHS = {"popular": "/movie/popular", "now_playing": "/movie/now_playing", "trending": "/trending/movie/week"}
CANDIDATES = "SELECT tmdb_id, rank, title, sources FROM ingest_candidates ORDER BY rank"


def request(source: str = "popular", *, max_movies: int = 20, pages: int = 2) -> IngestRequest:
    return IngestRequest(source, max_movies, pages)


def lists(sandbox: SandboxServer, **pages: list[list[int]]) -> None:
    """Make the lists hold just these movies, page by page; a list that is not named is empty."""
    for name, path in PATHS.items():
        of_name = pages.get(name, [[]])
        for fault in [page_of(of_name, number) for number in range(1, len(of_name) + 1)]:
            sandbox.faults.add(Fault(path, "body", body=fault, times=1))


def page_of(pages: list[list[int]], number: int) -> dict[str, Any]:
    results = [{"id": tmdb_id, "title": f"Movie {tmdb_id}"} for tmdb_id in pages[number - 1]]
    return {"page": number, "results": results, "total_pages": len(pages), "total_results": 1000}


def chosen(engine: Engine) -> list[int]:
    return [int(row.tmdb_id) for row in rows(engine, CANDIDATES)]


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        ("popular", {"popular"}),
        ("now_playing", {"now_playing"}),
        ("trending", {"trending"}),
        ("all", {"popular", "now_playing", "trending"}),
        ("mixed_daily", {"now_playing", "trending"}),
        ("mixed_weekly", {"popular", "trending"}),
    ],
)
def test_each_source_asks_its_lists(
    start_run: Start, engine: Engine, sandbox: SandboxServer, source: str, asked: set[str]
) -> None:
    found = discover(start_run(), request(source))

    assert sandbox.stats.by_endpoint == Counter({PATHS[name]: 2 for name in asked})
    assert (found.resumed, found.problems) == (False, ())
    assert found.batch.source == ("mixed" if source == "all" else source)
    assert {(one.source, one.pages, one.movies) for one in found.snapshots} == {(name, 2, 40) for name in asked}
    kept = rows(engine, "SELECT source, count(*) AS movies FROM list_snapshots GROUP BY source")
    assert {row.source: row.movies for row in kept} == dict.fromkeys(asked, 40)
    assert found.candidates == len(chosen(engine)) == 20


def test_a_snapshot_is_the_page_as_it_was(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    run = start_run()
    discover(run, request(pages=2))

    page = run.tmdb.list_page("popular", 2)
    kept = rows(engine, "SELECT * FROM list_snapshots WHERE page = 2 ORDER BY rank")
    assert [(row.rank, row.tmdb_id, row.title, row.vote_count, row.release_date) for row in kept] == [
        (21 + index, str(movie.id), movie.title, movie.vote_count, movie.release_date)
        for index, movie in enumerate(page.results)
    ]
    assert [row.popularity for row in kept] == pytest.approx([movie.popularity for movie in page.results], rel=1e-5)
    assert [row.vote_average for row in kept] == pytest.approx([movie.vote_average for movie in page.results])
    assert {row.run_id for row in kept} == {"run-1"}


def test_language_and_region_are_passed_on(start_run: Start, engine: Engine) -> None:
    discover(start_run(tmdb_language="de-DE", tmdb_region="DE"), request("all", pages=1))

    asked = {row.endpoint: row.query_params for row in logged_calls(engine)}
    assert asked == {
        "/movie/popular": {"language": "de-DE", "page": 1, "region": "DE"},
        "/movie/now_playing": {"language": "de-DE", "page": 1, "region": "DE"},
        "/trending/movie/week": {"language": "de-DE", "page": 1},
    }


def logged_calls(engine: Engine) -> list[Any]:
    until(lambda: value(engine, "SELECT count(*) FROM tmdb_api_logs") >= 3, "the calls to be logged")
    return rows(engine, "SELECT endpoint, query_params FROM tmdb_api_logs")


def test_a_movie_on_several_lists_and_pages_is_chosen_once_by_its_best_place(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    lists(sandbox, popular=[[1, 2, 3], [3, 4]], now_playing=[[5, 1]], trending=[[6, 4, 2]])

    found = discover(start_run(tmdb_concurrency=1), request("all", pages=5))

    # By place, and at the same place popular, now_playing, trending in this order.
    assert [(row.tmdb_id, row.sources) for row in rows(engine, CANDIDATES)] == [
        ("1", ["popular", "now_playing"]),
        ("5", ["now_playing"]),
        ("6", ["trending"]),
        ("2", ["popular", "trending"]),
        ("4", ["popular", "trending"]),
        ("3", ["popular"]),
    ]
    assert (found.batch.movies_checked, found.batch.movies_skipped, found.candidates) == (6, 0, 6)
    assert value(engine, "SELECT count(*) FROM list_snapshots") == 10, "every row of every page is kept"


def test_known_movies_are_skipped_whatever_their_state_and_the_rest_is_capped(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    lists(sandbox, popular=[[1, 2, 3, 4, 5, 6]])
    add_work(engine, 1, ingestion_status="complete")
    add_work(engine, 3, ingestion_status="failed")
    add_work(engine, 99)

    found = discover(start_run(), request(max_movies=3))

    assert chosen(engine) == [2, 4, 5]
    assert (found.batch.movies_checked, found.batch.movies_skipped, found.candidates) == (6, 2, 3)


def test_nothing_new_is_an_empty_batch(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    lists(sandbox, popular=[[1]])
    add_work(engine, 1)

    found = discover(start_run(), request())

    assert (found.candidates, found.batch.movies_checked, found.batch.movies_skipped) == (0, 1, 1)


def test_pages_beyond_the_last_are_not_asked_for(start_run: Start, sandbox: SandboxServer) -> None:
    run = start_run()
    pages = run.tmdb.list_page("now_playing", 1).total_pages
    assert 1 < pages < 20
    sandbox.reset()

    found = discover(run, request("now_playing", pages=500))

    assert sandbox.stats.calls == pages
    assert found.snapshots[0].pages == pages


def test_an_empty_list_is_asked_for_once(start_run: Start, sandbox: SandboxServer) -> None:
    empty = {"page": 1, "results": [], "total_pages": 0, "total_results": 0}
    sandbox.faults.add(Fault("/movie/popular", "body", body=empty))

    found = discover(start_run(), request(pages=5))

    assert (sandbox.stats.calls, found.candidates) == (1, 0)


@pytest.mark.parametrize("first", [True, False])
def test_a_page_that_fails_does_not_lose_the_others(
    start_run: Start, engine: Engine, sandbox: SandboxServer, first: bool
) -> None:
    run = start_run(tmdb_concurrency=1)
    if not first:
        sandbox.faults.add(Fault("/movie/popular", "delay", times=1))
    sandbox.faults.add(Fault("/movie/popular", "status", 400, times=1))

    found = discover(run, request("all", pages=3, max_movies=300))

    failed = 1 if first else 2
    [problem] = found.problems
    assert problem.startswith(f"popular page {failed}: ")
    assert "400" in problem
    assert {one.source: one.pages for one in found.snapshots} == {"popular": 2, "now_playing": 3, "trending": 3}
    assert value(engine, "SELECT count(*) FROM list_snapshots") == 160
    kept = rows(engine, "SELECT DISTINCT page FROM list_snapshots WHERE source = 'popular' ORDER BY page")
    assert [row.page for row in kept] == [page for page in (1, 2, 3) if page != failed]


def test_a_row_that_is_unusable_costs_itself(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    page = page_of([[1, 2, 3, 4]], 1)
    page["results"][0] = {"id": None, "title": "x"}
    page["results"][1] = {"id": 2, "title": "a\0b", "vote_average": 1e-320, "popularity": 1e-320}
    page["results"][2]["vote_count"] = 2**40
    sandbox.faults.add(Fault("/movie/popular", "body", body=page))

    found = discover(start_run(), request())

    assert chosen(engine) == [2, 3, 4]
    assert all(problem.startswith("popular page 1: results") for problem in found.problems)
    assert any("results[0].id" in problem for problem in found.problems)
    assert value(engine, "SELECT title FROM ingest_candidates WHERE tmdb_id = '2'") == "ab"


def test_a_run_in_which_every_page_failed_is_a_failed_run_with_a_row_in_the_log(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    sandbox.faults.add(Fault(".*", "status", 503))

    with pytest.raises(ListsUnavailable, match=r"No page of any list could be fetched: .*503"):
        discover(start_run(), IngestRequest("all", 20, 2, "scheduled"))

    [row] = rows(engine, "SELECT * FROM scheduled_ingestion_log")
    assert (row.source, row.trigger_type, row.run_id) == ("mixed", "scheduled", "run-1")
    assert (row.movies_checked, row.movies_skipped, row.movies_ingested, row.movies_failed) == (0, 0, 0, 0)
    assert (row.ingested_titles, row.failed_titles) == ([], [])
    assert "503" in row.error_message
    assert row.duration_ms >= 0
    assert rows(engine, "SELECT 1 FROM ingest_batches UNION ALL SELECT 1 FROM sync_state") == []


def test_bad_credentials_fail_the_run_with_a_row_in_the_log(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    sandbox.faults.add(Fault("/movie/now_playing", "status", 401))

    with pytest.raises(AuthenticationFailed):
        discover(start_run(), request("all"))

    assert "TMDB_API_KEY" in value(engine, "SELECT error_message FROM scheduled_ingestion_log")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("latest", 20, 5), "source is 'latest', and must be one of popular, now_playing, trending, all, mixed_daily"),
        (("", 20, 5), "source is ''"),
        (("popular", 0, 5), "max_movies is 0, and must be 1 or more"),
        (("popular", -3, 5), "max_movies is -3"),
        (("popular", 20, 0), "pages_per_source is 0, and must be 1 to 500"),
        (("popular", 20, 501), "pages_per_source is 501"),
        (("popular", 20, 5, "cron"), "trigger_type is 'cron', and must be one of scheduled, manual"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused(arguments: Any, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        IngestRequest(*arguments)
    assert message in str(caught.value)
