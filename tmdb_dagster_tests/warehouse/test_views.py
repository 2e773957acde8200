from __future__ import annotations

import re
from collections import Counter
from typing import Any

from sqlalchemy import Engine

from tmdb_dagster.settings import REPOSITORY
from tmdb_dagster.warehouse.health import run_history
from tmdb_dagster_tests.warehouse.database import (
    add_work,
    claimed_work,
    execute,
    fetched_movie,
    rows,
    value,
    write,
)
from tmdb_dagster_tests.warehouse.operated import LIKE_TAKEN_OVER, operate, snapshot

PAGE = (REPOSITORY / "docs/views.md").read_text("utf8")
EXAMPLES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
VIEWS = "SELECT relname FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace ORDER BY relname"


def found(engine: Engine, columns: str, view: str, rest: str = "") -> list[tuple[Any, ...]]:
    return [tuple(row) for row in rows(engine, f"SELECT {columns} FROM {view} {rest}")]


def test_every_example_of_the_page_shows_something(engine: Engine) -> None:
    operate(engine)

    # Every example on one catalogue: a failure names the query.
    silent = [example for example in EXAMPLES if not rows(engine, example)]

    assert silent == []
    headings = re.findall(r"^## (v_\w+)$", PAGE, re.MULTILINE)
    assert sorted(headings) == [row.relname for row in rows(engine, VIEWS)]


def test_views_read_with_the_rights_of_whoever_asks(engine: Engine) -> None:
    options = rows(engine, VIEWS.replace("relname FROM", "relname, reloptions FROM"))
    assert options
    assert {view: given for view, given in options if given != ["security_invoker=true"]} == {}


def test_every_view_is_empty_or_zero_in_an_empty_catalogue(engine: Engine) -> None:
    for (view,) in rows(engine, VIEWS):
        assert rows(engine, f"SELECT * FROM {view}") == []


def test_the_history_of_runs(engine: Engine) -> None:
    operate(engine)

    history = {run.run_id: run for run in _history(engine)}

    assert [run.run_id for run in _history(engine)] == ["run-3", "run-2", "run-1", None]
    assert {run_id: run.status for run_id, run in history.items()} == {
        "run-1": "incomplete",
        "run-2": "succeeded",
        "run-3": "failed",
        None: "succeeded",
    }
    run = history["run-1"]
    assert (run.ended_at - run.started_at).total_seconds() == run.duration_s == 61.5
    assert (run.ingested_titles, run.failed_titles) == (["A (2000)"], ["603: no answer"])
    bare = history[None]
    assert (bare.movies_checked, bare.ingested_titles, bare.duration_s) == (0, [], None)


def test_the_history_of_a_database_that_was_taken_over(engine: Engine) -> None:
    view = value(engine, "SELECT pg_get_viewdef('v_run_history')")
    execute(engine, "DROP VIEW v_run_history CASCADE")
    execute(engine, LIKE_TAKEN_OVER)
    execute(
        engine,
        "ALTER TABLE scheduled_ingestion_log ALTER ingested_titles TYPE jsonb USING to_jsonb(ingested_titles), "
        "ALTER failed_titles TYPE jsonb USING to_jsonb(failed_titles), ALTER id DROP IDENTITY IF EXISTS, "
        "ALTER id DROP DEFAULT, ALTER id TYPE uuid USING gen_random_uuid(), ALTER id SET DEFAULT gen_random_uuid()",
    )
    execute(engine, f"CREATE VIEW v_run_history AS {view}")
    execute(
        engine, """INSERT INTO scheduled_ingestion_log (source, ingested_titles) VALUES ('mixed', '["A (2000)"]')"""
    )

    (run,) = _history(engine)

    assert (run.ingested_titles, run.failed_titles) == (["A (2000)"], [])


def _history(engine: Engine) -> list[Any]:
    with engine.begin() as connection:
        return list(run_history(connection))


def test_calls_by_endpoint_and_period(engine: Engine) -> None:
    operate(engine)
    figures = "endpoint, calls, errors, retries, rate_limited, p50_ms, p95_ms, bytes"

    def of(period: str) -> list[tuple[Any, ...]]:
        return found(engine, figures, "v_api_calls_by_endpoint", f"WHERE period = '{period}' ORDER BY 1")

    # 1 to 10 ms and a 429 of 5 ms; then three failures of 7 ms; then a list.
    assert of("1 day") == [("/movie/{id}", 11, 1, 0, 1, 5, 10, 1000)]
    assert of("7 days") == [("/movie/{id}", 14, 4, 2, 1, 6, 9, 1030)]
    assert [row[:2] for row in of("30 days")] == [("/movie/popular", 1), ("/movie/{id}", 14)]


def test_calls_by_hour_and_job(engine: Engine) -> None:
    operate(engine)

    recent = found(
        engine,
        "job, sum(calls), sum(errors)",
        "v_api_calls_hourly",
        "WHERE hour > now() - interval '1 day' GROUP BY job ORDER BY job",
    )
    assert recent == [("ingest_movie", 1, 1), ("weekly_ingest", 10, 0)]
    hours = found(engine, "hour, error_rate, p50_ms", "v_api_calls_hourly", "WHERE errors = 3")
    assert [(hour.minute, rate, ms) for hour, rate, ms in hours] == [(0, 1.0, 7)]
    assert value(engine, "SELECT sum(calls) FROM v_api_calls_hourly") == value(
        engine, "SELECT count(*) FROM tmdb_api_logs"
    )


def test_errors_are_grouped_by_what_was_wrong(engine: Engine) -> None:
    operate(engine)

    errors = found(
        engine, "http_status, endpoint, message, calls, movies", "v_api_errors", "WHERE period = '7 days' ORDER BY 1"
    )

    assert errors == [
        (429, "/movie/{id}", "/movie/{id}: TMDB answered 429.", 1, 1),
        (500, "/movie/{id}", "/movie/{id}: TMDB answered 500: broken.", 3, 1),
    ]


def test_the_queue(engine: Engine) -> None:
    operate(engine)

    queue = found(
        engine,
        "status, priority, claimed, entries, due, round(oldest_age_s / 3600), retries, last_error",
        "v_queue_status",
        "ORDER BY status, claimed",
    )

    assert queue == [
        ("completed", 10, False, 1, 0, None, 1, None),
        ("processing", 10, False, 1, 0, 5, 0, None),
        ("processing", 10, True, 1, 0, 3, 0, None),
        ("queued", 60, False, 2, 1, 2, 2, "no answer"),
    ]


def test_of_several_errors_the_queue_shows_the_newest(engine: Engine) -> None:
    work_id = add_work(engine, 603)
    for hours, error in ((3, "oldest"), (1, "newest"), (2, "older"), (0, None)):
        execute(
            engine,
            """INSERT INTO refresh_queue (work_id, status, priority, reason, processed_at, retry_count, last_error)
            VALUES (:work_id, 'failed', 10, NULL, now() - make_interval(hours => :hours), 4, :error)""",
            work_id=work_id,
            hours=hours,
            error=error,
        )

    assert found(engine, "status, reason, entries, retries, last_error", "v_queue_status") == [
        ("failed", None, 4, 16, "newest")
    ]


def test_the_calls_of_a_movie(engine: Engine) -> None:
    operate(engine)

    calls = found(
        engine, "tmdb_id, work_id IS NOT NULL, calls, errors, retries, mean_ms", "v_movie_calls", "ORDER BY 1"
    )

    assert calls == [("603", True, 10, 0, 0, 5.5), ("604", True, 4, 4, 2, 6.5)]


def test_the_health_of_the_catalogue(engine: Engine) -> None:
    operate(engine)

    health = found(
        engine,
        "status, age_tier, refresh_days, works, stale, gone, never_refreshed, over_six_months, without_meta, "
        "without_card, without_rating, without_poster, images_missing",
        "v_catalogue_health",
        "ORDER BY status, refresh_days",
    )

    assert health == [
        ("complete", "0-30", 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1),
        ("complete", "over 365", 30, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        ("failed", "31-180", 7, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0),
        ("pending", "unknown", 30, 1, 1, 0, 1, 0, 1, 1, 1, 1, 0),
    ]
    stale = value(engine, "SELECT count(*) FILTER (WHERE is_stale(work_id)) FROM works")
    assert sum(row[4] for row in health) == stale


def test_a_card_without_attribution_is_stale(engine: Engine) -> None:
    operate(engine)
    execute(
        engine,
        "UPDATE work_cards_cache SET payload = '{}' WHERE work_id = (SELECT work_id FROM works WHERE tmdb_id = '603')",
    )

    assert found(engine, "stale", "v_catalogue_health", "WHERE age_tier = 'over 365'") == [(1,)]
    assert value(engine, "SELECT is_stale(work_id) FROM works WHERE tmdb_id = '603'") is True


def test_the_tiers(engine: Engine) -> None:
    edges = {-1: "unreleased", 0: "0-30", 30: "0-30", 31: "31-180", 180: "31-180", 181: "181-365", 365: "181-365"}
    for days in (*edges, 366):
        execute(
            engine,
            "INSERT INTO works (tmdb_id, title, release_date) "
            "VALUES (:tmdb_id, 'A', (now() AT TIME ZONE 'utc')::date - CAST(:days AS integer))",
            tmdb_id=str(days),
            days=days,
        )

    assert dict(found(engine, "age_tier, works", "v_catalogue_health")) == {**Counter(edges.values()), "over 365": 1}


def test_the_coverage_of_images(engine: Engine) -> None:
    operate(engine)

    assert found(engine, "kind, status, images, bytes, last_error", "v_image_coverage", "ORDER BY 1, 2") == [
        ("poster", "stored", 3, 30, None),
        ("still", "failed", 1, 0, "HTTP 404"),
        ("still", "stored", 2, 20, None),
    ]


def test_the_cards_of_movies_that_are_not_gone(engine: Engine) -> None:
    written = claimed_work(engine, 9001)
    write(engine, fetched_movie(written))
    gone, forgotten = (add_work(engine, tmdb_id, gone_at="now") for tmdb_id in (605, 606))
    execute(engine, "INSERT INTO work_cards_cache SELECT :gone, payload FROM work_cards_cache", gone=gone)

    [card] = rows(engine, "SELECT * FROM v_cards")

    payload = value(engine, "SELECT payload FROM work_cards_cache WHERE work_id = :work_id", work_id=written)
    assert {name: payload[name] for name in ("work_id", "tmdb_id", "title", "original_title", "year", "genres")} == {
        name: getattr(card, name) for name in ("work_id", "tmdb_id", "title", "original_title", "year", "genres")
    }
    assert card.poster == payload["poster"]["medium"]
    source = payload["source_scores"]["tmdb"]
    assert (card.ai_score, card.tmdb_score, card.tmdb_votes) == (payload["ai_score"], source["score"], source["votes"])
    assert forgotten not in {row.work_id for row in rows(engine, "SELECT work_id FROM v_cards")}


def _moves(engine: Engine, run_id: str) -> dict[str, tuple[Any, ...]]:
    moves = found(
        engine,
        "tmdb_id, rank, previous_rank, places, movement",
        "v_list_history",
        f"WHERE source = 'popular' AND run_id = '{run_id}'",
    )
    return {move[0]: move[1:] for move in moves}


def test_who_entered_left_rose_and_fell(engine: Engine) -> None:
    operate(engine)

    assert _moves(engine, "a") == {tmdb_id: (int(tmdb_id), None, None, None) for tmdb_id in "1234"}
    assert _moves(engine, "b") == {
        "1": (2, 1, -1, "fell"),
        "2": (1, 2, 1, "rose"),
        "3": (3, 3, 0, "same"),
        "4": (None, 4, None, "left"),
        "5": (4, None, None, "entered"),
    }


def test_a_list_that_was_fetched_less_deep_says_nothing_of_the_rest(engine: Engine) -> None:
    snapshot(engine, "deep", "1", "2", "3", "4", days=3)
    snapshot(engine, "short", "1", "9", days=2)
    snapshot(engine, "deep again", "1", "9", "3", "4", days=1)

    assert _moves(engine, "short") == {
        "1": (1, 1, 0, "same"),
        "2": (None, 2, None, "left"),
        "9": (2, None, None, "entered"),
    }
    assert _moves(engine, "deep again") == {
        "1": (1, 1, 0, "same"),
        "9": (2, 2, 0, "same"),
        "3": (3, None, None, None),
        "4": (4, None, None, None),
    }


def test_a_list_that_lacks_a_page_says_nothing_of_movies_that_it_lacks(engine: Engine) -> None:
    snapshot(engine, "whole", "1", "2", "3", "4", days=3)
    snapshot(engine, "torn", "2", "1", days=2, pages=(2,))
    snapshot(engine, "whole again", "1", "2", "3", "4", days=1)

    assert _moves(engine, "torn") == {"2": (3, 2, -1, "fell"), "1": (4, 1, -3, "fell")}
    assert {move[3] for move in _moves(engine, "whole again").values()} == {"rose", None}


def test_a_movie_that_a_list_names_twice_counts_at_its_best_place(engine: Engine) -> None:
    snapshot(engine, "a", "1", "2", "1", "3", days=2)
    snapshot(engine, "b", "2", "1", "3", "1", days=1)

    assert _moves(engine, "b") == {"2": (1, 2, 1, "rose"), "1": (2, 1, -1, "fell"), "3": (3, 4, 1, "rose")}


def test_lists_do_not_mix(engine: Engine) -> None:
    snapshot(engine, "a", "1", "2", days=2)
    snapshot(engine, "a", "2", "1", days=2, source="trending")
    snapshot(engine, "b", "1", "2", days=1)

    assert {move[3] for move in _moves(engine, "b").values()} == {"same"}


# query: the index that finds what it asks for
INDEXED = {
    "SELECT * FROM v_api_calls_hourly WHERE hour > now() - interval '1 day'": "tmdb_api_logs_hour_idx",
    "SELECT * FROM v_api_calls_by_endpoint WHERE period = '1 day'": "tmdb_api_logs_created_at_idx",
    "SELECT * FROM v_api_errors WHERE period = '1 day'": "tmdb_api_logs_created_at_idx",
    "SELECT * FROM v_movie_calls WHERE tmdb_id = '603'": "tmdb_api_logs_tmdb_id_idx",
}


def plan(engine: Engine, query: str) -> str:
    """How it is found where reading a whole table is the last resort."""
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        return "\n".join(connection.exec_driver_sql(f"EXPLAIN {query}").scalars())


def test_what_is_asked_often_is_found_by_an_index(engine: Engine) -> None:
    for query, index in INDEXED.items():
        assert re.search(rf"{index}.*\n\s+Index Cond", plan(engine, query))


# query: the index that alone is read for all rows
COUNTED = {
    "SELECT status, age_tier, works, stale, gone FROM v_catalogue_health": "works_tiers_idx on works",
    "SELECT * FROM v_image_coverage": "image_inventory_stored_idx on image_inventory",
}


def test_what_counts_all_rows_reads_an_index_alone(engine: Engine) -> None:
    for query, index in COUNTED.items():
        counting = plan(engine, query)
        assert f"Index Only Scan using {index}" in counting
        assert "rating_sources" not in counting, "what is not asked for is not worked out"
