"""Every job on a database of the old system, with all that had drifted: its works become current, and nothing else."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine

from tmdb_dagster.pipeline.discover import IngestRequest, discover
from tmdb_dagster.pipeline.errors import MovieFailed
from tmdb_dagster.pipeline.ingest import PageRequest, ingest_candidates, ingest_movie, ingest_page
from tmdb_dagster.pipeline.outcome import MovieOutcome
from tmdb_dagster.pipeline.rebuild import rebuild_from_raw
from tmdb_dagster.pipeline.refresh import DrainRequest, RefreshRequest, drain_queue, refresh_daily
from tmdb_dagster.pipeline.repair import repair_images
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster.warehouse.migrate import migrate
from tmdb_dagster.warehouse.takeover.tolerance import WRITTEN_VALUES
from tmdb_dagster_tests.pipeline.enriching import ignore, some_movies
from tmdb_dagster_tests.warehouse.database import DERIVED, contents, execute, rows, value, versions
from tmdb_dagster_tests.warehouse.old_system import COMBINED, build_old_system

Start = Callable[..., Run]

OTHERS = """
    SELECT 'rating' AS what, to_jsonb(r) AS was FROM rating_sources r WHERE source_name <> 'TMDB'
    UNION ALL SELECT 'score', to_jsonb(a) FROM aggregates a WHERE method_version = 'critics_2024'
    UNION ALL SELECT 'similar', to_jsonb(s) FROM similar_movies s WHERE source = 'openai'
    UNION ALL SELECT 'meta', jsonb_build_object('id', work_id, 'moods', moods, 'themes', themes, 'awards', awards,
        'subgenres', subgenres) FROM works_meta WHERE work_id <= 4
    UNION ALL SELECT 'work', jsonb_build_object('id', work_id, 'source', trigger_source) FROM works WHERE work_id <= 8
    UNION ALL SELECT 'log', to_jsonb(l) FROM scheduled_ingestion_log l WHERE trigger_type IS NULL OR run_id IS NULL
    UNION ALL SELECT 'call', to_jsonb(c) FROM tmdb_api_logs c WHERE metadata IS NULL
    ORDER BY 1, 2
"""


OF_OTHER_TYPES = (
    "varchar and numeric",
    "fewer columns",
    "columns and a trigger",
    "varchar in the queue",
    "uuid in the queue",
    "entries of no work",
)


@pytest.fixture(scope="module", params=[COMBINED, OF_OTHER_TYPES], ids=["seen", "of other types"])
def taken_over(
    request: pytest.FixtureRequest, database_address: Callable[[str], str], sandbox_server: SandboxServer
) -> str:
    """The name of a database that was taken over; each test's own is copied from it."""
    name = f"taken_over_{uuid.uuid4().hex[:12]}"
    engine = connect(database_address(name))
    build_old_system(engine, some_movies(sandbox_server, 7), *request.param)
    migrate(engine)
    engine.dispose()
    return name


@pytest.fixture
def catalogue_url(new_database: Callable[..., str], taken_over: str) -> str:
    """A database that was taken over."""
    return new_database(taken_over)


def others(engine: Engine) -> list[Any]:
    """What other tools have written."""
    has_extra = value(engine, "SELECT count(*) FROM information_schema.columns WHERE column_name = 'moods'")
    lines = [line for line in OTHERS.split("UNION ALL") if has_extra or not ("'meta'" in line or "'work'" in line)]
    return [tuple(row) for row in rows(engine, "UNION ALL".join(lines))]


def test_all_jobs_end_well_and_change_only_what_is_theirs(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    run = start_run()
    theirs = others(engine)
    queued = "SELECT status FROM refresh_queue WHERE work_id < 998 ORDER BY 1"
    assert [row.status for row in rows(engine, queued)] == ["completed", "failed", "processing", "queued"]
    execute(engine, "INSERT INTO refresh_queue (work_id) SELECT work_id FROM works WHERE tmdb_id IS NULL")
    execute(engine, "UPDATE refresh_queue SET queued_at = NULL WHERE status = 'queued'")

    refresh_daily(run, RefreshRequest(), ignore)
    ingest_page(run, PageRequest(limit=50), ignore)
    discover(run, IngestRequest("mixed_daily", 5, 1, "scheduled"))
    new: list[MovieOutcome] = []
    ingest_candidates(run, [run.run_id], new.extend)
    first = ingest_movie(run, some_movies(sandbox, 1)[0], force_refresh=True)

    assert others(engine) == theirs
    assert first.status in ("ingested", "unchanged")
    # Statuses that nobody held, old versions and cards without attribution: all of it was found without a hand.
    found = "SELECT tmdb_id, ingestion_status FROM works WHERE ingestion_status IS DISTINCT FROM 'complete'"
    assert [row.tmdb_id for row in rows(engine, found)] == [None] * value(
        engine, "SELECT count(*) FROM works WHERE tmdb_id IS NULL"
    )
    assert value(engine, "SELECT count(*) FROM works_meta WHERE schema_version < current_schema_version()") == 0
    assert value(engine, "SELECT count(*) FROM work_cards_cache WHERE NOT payload -> 'attribution' ? 'tmdb'") == 0
    assert value(engine, "SELECT count(*) FROM refresh_queue WHERE status IN ('queued', 'processing')") == 0
    assert value(engine, "SELECT count(*) FROM works_meta WHERE tagline = 'Old tagline'") == 0
    assert [outcome.status for outcome in new] == ["ingested"] * 5
    assert value(engine, "SELECT count(*) FROM similar_movies WHERE source = 'tmdb' AND notes = 'Old'") == 0
    assert value(engine, "SELECT DISTINCT origin FROM catalogue_origin") == "tmdb"

    logged = rows(engine, "SELECT to_jsonb(l) AS log FROM scheduled_ingestion_log l WHERE run_id IS NOT NULL")
    assert {row.log["source"] for row in logged} == {"refresh", "mixed_daily"}
    assert {row.log["source"] for row in logged} <= set(WRITTEN_VALUES["scheduled_ingestion_log", "source"])
    assert all(isinstance(row.log["ingested_titles"], list) for row in logged)
    assert all(row.log["created_at_pacific_formatted"] and row.log["run_at"] for row in logged)
    assert sum(len(row.log["ingested_titles"]) for row in logged) >= 5 + 3


def test_a_movie_can_be_refreshed_again_and_again(start_run: Start, engine: Engine) -> None:
    run = start_run()
    for _ in range(3):
        execute(engine, "INSERT INTO refresh_queue (work_id) VALUES (1)")
        report = drain_queue(run, DrainRequest(), ignore)
        assert (report.failed, report.retried) == (0, 0)
    assert value(engine, "SELECT count(*) FROM refresh_queue WHERE work_id = 1 AND status = 'completed'") == 4


def test_an_unchanged_movie_is_not_rewritten(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    """Whatever types the columns have, what is stored equals what is written."""
    run = start_run()
    tmdb_id = some_movies(sandbox, 1)[0]
    ingest_movie(run, tmdb_id, force_refresh=True)
    before = versions(engine, *DERIVED)
    execute(engine, "UPDATE movie_responses SET content_hash = 'another'")

    assert ingest_movie(run, tmdb_id, force_refresh=True).status == "ingested"

    assert versions(engine, *DERIVED) == before


def test_a_failure_keeps_the_old_rows(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    tmdb_id = some_movies(sandbox, 2)[1]
    before = contents(engine, *DERIVED)
    sandbox.faults.add(Fault(f"/movie/{tmdb_id}", "status", 404))

    with pytest.raises(MovieFailed):
        ingest_movie(start_run(), tmdb_id, force_refresh=True)

    assert contents(engine, *DERIVED) == before


_SHOWN = """
    SELECT m.poster_url_medium, m.backdrop_url_mobile, m.cast_members -> 0 ->> 'photo_url_medium' AS photo,
        k.payload #>> '{poster,medium}' AS card, k.payload_short ->> 'poster' AS short
    FROM works_meta m JOIN work_cards_cache k USING (work_id) WHERE m.work_id = 1
"""


def test_public_urls_of_our_files_stay_until_an_upload_has_succeeded(
    start_run: Start, engine: Engine, sandbox: SandboxServer, image_folder: Path, image_server: str
) -> None:
    """The older system's images may be all that there is: TMDB's may fail, or be gone."""
    tmdb_id = some_movies(sandbox, 1)[0]
    person = orjson.loads(sandbox.catalogue.body(tmdb_id, ("credits",), None).plain)["credits"]["cast"][0]["id"]
    photo = f"{image_server}/cast/{person}.jpg?old=1"
    poster = f"{image_server}/posters/1_medium.jpg"
    elsewhere = "https://other.example/backdrops/1.jpg"
    execute(
        engine,
        f"""
        UPDATE works_meta SET poster_url_medium = '{poster}', backdrop_url_mobile = '{elsewhere}' WHERE work_id = 1;
        UPDATE work_cards_cache
        SET payload = payload || '{{"cast": [{{"photo": "{photo}"}}], "other": "{image_server}/stills/1_9.jpg"}}'
        WHERE work_id = 1
        """,
    )
    run = start_run(movie_images_store="local", movie_images_folder=image_folder, movie_images_public_url=image_server)
    sandbox.faults.add(Fault("/t/p/.*", "status", status=404))

    outcome = ingest_movie(run, tmdb_id, force_refresh=True)
    (failed,) = rows(engine, _SHOWN)
    rebuild_from_raw(run.engine, run.settings, lambda _rebuilt: None)
    (rebuilt,) = rows(engine, _SHOWN)
    sandbox.faults.clear()
    repair_images(run, lambda _rows: None, everything=True, verify=True)
    (repaired,) = rows(engine, _SHOWN)

    assert outcome.images is not None
    assert outcome.images.missing > 0
    assert tuple(failed) == (poster, failed.backdrop_url_mobile, photo, poster, poster)
    assert failed.backdrop_url_mobile.startswith(sandbox.image_url)
    assert rebuilt == failed
    assert all(url.startswith(image_server) and "?v=" in url for url in repaired)


def test_our_own_url_of_a_file_that_is_lost_does_not_stay(
    start_run: Start, engine: Engine, sandbox: SandboxServer, image_folder: Path, image_server: str
) -> None:
    tmdb_id = some_movies(sandbox, 1)[0]
    run = start_run(movie_images_store="local", movie_images_folder=image_folder, movie_images_public_url=image_server)
    ingest_movie(run, tmdb_id, force_refresh=True)
    (image_folder / "posters/1_medium.jpg").unlink()
    sandbox.faults.add(Fault("/t/p/w342/.*", "status", status=404))

    repair_images(run, lambda _rows: None, everything=True, verify=True)

    (shown,) = rows(engine, _SHOWN)
    assert shown.poster_url_medium.startswith(sandbox.image_url)
    assert shown.photo.startswith(image_server)


READERS = (
    "SELECT * FROM tmdb_api_logs ORDER BY created_at DESC LIMIT 100",
    "SELECT endpoint, http_status, edge_function FROM tmdb_api_logs WHERE created_at > now() - interval '1 day'",
    "SELECT * FROM scheduled_ingestion_log ORDER BY created_at DESC LIMIT 20",
    "SELECT ingestion_status, count(*) FROM works GROUP BY ingestion_status",
    "SELECT title, poster_url_medium FROM works JOIN works_meta USING (work_id) WHERE poster_url_medium IS NOT NULL",
    "SELECT payload, payload_short, etag FROM work_cards_cache WHERE work_id = 1",
    "SELECT is_stale(work_id_input => 1)",
    "SELECT * FROM get_stale_movies(limit_count => 50)",
    "SELECT calculate_staleness_days(release_date => '1999-03-31')",
    "SELECT * FROM refresh_queue WHERE status = 'queued' ORDER BY priority DESC, queued_at",
    "SELECT * FROM sync_state WHERE sync_type = 'daily_refresh'",
)
"""What the app and the dashboard ask for."""


def test_the_queries_of_older_readers_run(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    ingest_movie(start_run(), some_movies(sandbox, 1)[0], force_refresh=True)

    found = [rows(engine, query) for query in READERS]

    assert all(found)
    assert found[5][0].payload_short["title"] == found[4][0].title
