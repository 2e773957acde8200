"""The operator's report, on a catalogue that is empty, new, or has been at work for long."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from PIL import Image
from sqlalchemy import Engine

from tmdb_dagster.pipeline.ops_report import ops_data
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.rate_limit import RateLimit
from tmdb_dagster.report.ops_report import OpsData, ops_report
from tmdb_dagster.report.page import Page
from tmdb_dagster.report.summary import MOST_CHARACTERS, summary
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.pipeline.enriching import enriched, some_movies
from tmdb_dagster_tests.warehouse.database import add_work, execute

MOST_CHART_BYTES = 60_000
MOST_MARKDOWN_BYTES = 400_000


def _data(engine: Engine) -> OpsData:
    with engine.begin() as connection:
        return ops_data(connection, RateLimit(40, 10))


def _texts(page: Page) -> dict[str, str]:
    return {section.title: " ".join(section.sentences) for section in page.sections}


def _check_charts(page: Page) -> int:
    """Every chart is a picture of a sensible size; returns how many there are."""
    charts = [section.chart for section in page.sections if section.chart is not None]
    for chart in charts:
        assert len(chart) < MOST_CHART_BYTES
        with Image.open(io.BytesIO(chart)) as picture:
            picture.load()
            assert (300 < picture.width < 900, 100 < picture.height < 700) == (True, True)
            colours = picture.convert("RGB").getcolors(100_000)
            assert colours is None or len(colours) > 20, "an empty picture"
    assert sum(map(len, page.markdown().values())) < MOST_MARKDOWN_BYTES
    return len(charts)


def test_an_empty_catalogue_has_a_report_without_charts(engine: Engine) -> None:
    page = ops_report(_data(engine))

    assert _check_charts(page) == 0
    assert _texts(page) == {
        "What needs a person": "Nothing.",
        "What failed, and why": "Nothing failed.",
        "Runs": "No run yet.",
        "Calls to TMDB": "0 calls in the last day, 0 errors, 0 retries, 0 refused by the rate limit. At most 0 in any "
        "10 seconds, where 40 are allowed. No call in 7 days.",
        "Refresh queue": "The queue is empty.",
        "Catalogue": "There is no movie yet.",
        "Images": "No image is wanted yet, or they stay at TMDB.",
        "Lists": "No list has been fetched yet.",
    }


def test_the_summary_of_an_empty_catalogue(engine: Engine) -> None:
    assert summary(_data(engine)).splitlines() == [
        "* **Needs a person:** nothing.",
        "* No run yet.",
        "* 0 calls to TMDB in the last day, at most 0 of the 40 allowed in any 10 seconds.",
        "* 0 movies in the queue, 0 due now. 0 given up.",
        "* 0 movies, 0 of them due for a refresh.",
    ]


def _snapshot(engine: Engine, source: str, age: str, *tmdb_ids: int) -> None:
    for rank, tmdb_id in enumerate(tmdb_ids, 1):
        execute(
            engine,
            """INSERT INTO list_snapshots (run_id, source, rank, page, tmdb_id, title, fetched_at)
            VALUES (:age, :source, :rank, 1, :tmdb_id, 'Movie ' || :tmdb_id, now() - CAST(:age AS interval))""",
            age=age,
            source=source,
            rank=rank,
            tmdb_id=str(tmdb_id),
        )


def test_one_of_everything_is_drawn(start_run: Callable[..., Run], engine: Engine, sandbox: SandboxServer) -> None:
    run = start_run()
    enriched(run, some_movies(sandbox, 1))
    run.api_log.close()
    execute(
        engine,
        """INSERT INTO scheduled_ingestion_log (source, trigger_type, movies_checked, movies_skipped, movies_ingested,
            movies_failed, duration_ms) VALUES ('mixed', 'manual', 1, 0, 1, 0, 1500)""",
    )
    execute(engine, "INSERT INTO refresh_queue (work_id, reason) SELECT work_id, 'stale' FROM works")
    execute(
        engine,
        """WITH image AS (
            INSERT INTO image_inventory (key, kind, source_path, source_size, source_at, status, bytes)
            VALUES ('posters/1_large.jpg', 'poster', '/a.jpg', 'w500', now(), 'stored', 5000) RETURNING key
        ) INSERT INTO work_images SELECT work_id, key FROM works, image""",
    )
    _snapshot(engine, "popular", "1 hour", 603)

    page = ops_report(_data(engine))

    texts = _texts(page)
    assert _check_charts(page) == 8
    assert texts["Runs"].startswith("Last ingest (all lists, manual): ")
    assert "succeeded; 1 checked, 0 skipped, 1 ingested, 0 failed. 1 ingest or daily refresh," in texts["Runs"]
    assert texts["Calls to TMDB"].startswith("1 call in the last day, 0 errors")
    assert texts["Refresh queue"].startswith("1 movie in the queue, 1 due now; the oldest has waited for 0 minutes.")
    assert texts["Images"] == "1 of 1 image is in our store (100.0 %), 0.0 MB."
    assert texts["List popular"].endswith("There is nothing to compare it with yet.")


@pytest.fixture
def busy(engine: Engine) -> Engine:
    """A catalogue with a past: many runs, hours, endpoints, movies, errors."""
    execute(
        engine,
        """INSERT INTO scheduled_ingestion_log (source, trigger_type, movies_checked, movies_skipped, movies_ingested,
            movies_failed, failed_titles, duration_ms, error_message, created_at)
        SELECT 'mixed', 'scheduled', 300, 250, 50 - n % 7, n % 7,
            CASE WHEN n % 7 > 0 THEN ARRAY['Movie: ' || n || ': /movie/' || n
                || ': no complete answer from TMDB (attempt ' || n || '): IncompleteRead(' || n || ' bytes read, '
                || 99 - n || ' more expected).'] END, 30000 + 500 * n,
            CASE WHEN n = 4 THEN 'TMDB answered none of the last 10 movies' END, now() - n * interval '5 hours'
        FROM generate_series(1, 40) n""",
    )
    execute(
        engine,
        """INSERT INTO tmdb_api_logs (endpoint, method, http_status, response_size_bytes, response_time_ms, tmdb_id,
            error_message, retry_count, edge_function, created_at)
        SELECT '/movie/' || n, 'GET', CASE WHEN n % 9 = 0 THEN 503 ELSE 200 END, 100000, 50 + n % 100, n::text,
            CASE WHEN n % 9 = 0 THEN '/movie/' || n || ': TMDB answered 503' END, n % 2, 'weekly_ingest',
            now() - n * interval '5 minutes'
        FROM generate_series(0, 1900) n""",
    )
    for number, (status, release) in enumerate(
        [("complete", "now() - interval '9 days'"), ("failed", "now() - interval '2 years'"), ("pending", "NULL")]
    ):
        work_id = add_work(engine, 600 + number, ingestion_status=status)
        execute(engine, f"UPDATE works SET release_date = {release} WHERE work_id = {work_id}")
    execute(
        engine,
        """INSERT INTO refresh_queue (work_id, status, reason, queued_at, due_at, last_error)
        SELECT work_id, status, reason, now() - interval '30 hours', now() - interval '30 hours', 'TMDB answered 503'
        FROM works, (VALUES ('queued', 'stale'), ('failed', 'retry'), ('completed', 'new')) AS q(status, reason)""",
    )
    for source, ids in {"popular": (1, 2, 3), "now_playing": (3, 4), "trending": (2, 3, 9)}.items():
        _snapshot(engine, source, "1 hour", *ids)
        _snapshot(engine, source, "2 days", *reversed(ids))
        _snapshot(engine, source, "7 days", 8, *ids)
    return engine


def test_a_catalogue_at_work_is_drawn_with_what_needs_a_person(busy: Engine) -> None:
    data = _data(busy)
    page = ops_report(data)

    texts = _texts(page)
    tables = {section.title: section.table for section in page.sections if section.table}
    assert _check_charts(page) == 7
    assert [section.title for section in page.sections][:3] == ["What needs a person", "What failed, and why", "Runs"]
    assert tables["What needs a person"].rows == [
        ["a person" if one.severity == "error" else "may wait", one.name, one.text, one.advice]
        for one in data.health.problems
    ]
    assert [row[1] for row in tables["What needs a person"].rows] == [
        "queue_moves",
        "error_rate",
    ]
    assert len(data.runs) == 30
    failed = [(row[0], row[1], row[2]) for row in tables["What failed, and why"].rows]
    # One row a reason, whatever movie, attempt or byte it was, and the runs first.
    assert failed == [
        (1, "runs", "TMDB answered none of the last 10 movies"),
        (212, "calls", "/movie/{id}: TMDB answered 503"),
        (29, "movies", "/movie/{id}: no complete answer from TMDB: IncompleteRead(bytes read, more expected)."),
        (6, "queue entries", "TMDB answered 503"),
    ]
    assert [row[0] for row in tables["Calls by endpoint"].rows] == ["/movie/{id}"]
    assert "where 40 are allowed" in texts["Calls to TMDB"]
    # Compared with a week ago, and not with the snapshot between.
    assert re.search(r"Since .*: 0 entered, 1 left, 3 rose, 0 fell\.$", texts["List popular"])
    assert list(tables["List popular"].rows[0]) == ["left", "Movie 8", 1, None]


def test_the_summary_says_how_things_are_so_shortly_that_dagster_shows_it(busy: Engine) -> None:
    lines = summary(_data(busy)).splitlines()

    assert lines[0] == "* **Needs a person:** `queue_moves`, `error_rate`."
    assert lines[1].startswith("* Last ingest (all lists, scheduled): ")
    assert lines[2] == (
        "* Failed within 7 days, though a later try may have gone well: 1 run, 212 calls, 29 movies, 6 queue entries. "
        "Most often: /movie/{id}: TMDB answered 503"
    )
    assert lines[-1].startswith("* Lists in a week. popular: 0 entered, 1 left, 3 rose, 0 fell; ")
    assert sum(len(line) + 1 for line in lines) <= MOST_CHARACTERS


def test_a_day_of_drains_hides_no_refresh_and_no_ingest(engine: Engine) -> None:
    execute(
        engine,
        """INSERT INTO scheduled_ingestion_log (source, trigger_type, movies_checked, movies_skipped, movies_ingested,
            movies_failed, duration_ms, failed_titles, created_at)
        VALUES ('popular', 'manual', 9, 6, 3, 0, 1, CAST('{}' AS text[]), now() - interval '3 days'),
            ('refresh', 'scheduled', 50, 0, 40, 10, 1, '{"A: /movie/1: no answer"}', now() - interval '1 day')
        UNION ALL SELECT 'drain', 'scheduled', 1, 0, 1, 0, 1, '{}', now() - n * interval '10 minutes'
        FROM generate_series(1, 100) n""",
    )

    data = _data(engine)

    last = [sentence.split(":")[0] for sentence in ops_report(data).sections[2].sentences]
    assert last == [
        "Last drain of the queue (scheduled)",
        "Last daily refresh (scheduled)",
        "Last ingest (popular, manual)",
        "2 ingests and daily refreshes, the newest on the right",
    ]
    assert [(run.kind, run.movies_failed) for run in data.runs] == [("refresh", 10), ("ingest", 0)]
    assert [(one.what, one.count) for one in data.failures] == [("movies", 1)]
    for sentence in ("40 refreshed, 10 failed", "3 ingested, 0 failed", "1 refreshed, 0 failed"):
        assert sentence in summary(data)
