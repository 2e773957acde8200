"""Every check, on a catalogue that is as it should be, and on one that is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, Engine

from tmdb_dagster.defs.checks import result
from tmdb_dagster.redaction import redact
from tmdb_dagster.transform.health import Finding
from tmdb_dagster.warehouse.api_log import ApiLog
from tmdb_dagster.warehouse.checks import CHECKS
from tmdb_dagster.warehouse.checks.check import find
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster.warehouse.migrate import migrate
from tmdb_dagster_tests.warehouse.database import claimed_work, fetched_movie, write
from tmdb_dagster_tests.warehouse.database import execute as sql
from tmdb_dagster_tests.warehouse.test_api_log import a_call

MOVIES = 20
SECRET = "s3cret/with+signs"


@pytest.fixture(scope="module")
def sound_catalogue(database_address: Callable[[str], str], worker_id: str) -> Iterator[Engine]:
    """A few movies, and what keeps them, all as it should be; shared: it is spoiled in transactions that are undone."""
    engine = connect(database_address(f"checks_{worker_id}"))
    migrate(engine)
    movies = [claimed_work(engine, tmdb_id) for tmdb_id in range(1, MOVIES + 1)]
    write(engine, *(fetched_movie(work_id, id=tmdb_id, imdb_id=None) for tmdb_id, work_id in enumerate(movies, 1)))
    for sync_type in ("scheduled_ingest", "daily_refresh"):
        sql(engine, "INSERT INTO sync_state (sync_type, last_sync_at) VALUES (:sync_type, now())", sync_type=sync_type)
    sql(engine, "INSERT INTO refresh_queue (work_id) SELECT min(work_id) FROM works")
    sql(engine, "UPDATE works SET last_refreshed_at = now()")
    with ApiLog(engine, job="test", run_id="run-1") as log:
        for tmdb_id in range(1, MOVIES + 1):
            log.add(a_call(tmdb_id))
    yield engine
    engine.dispose()


@pytest.fixture
def catalogue(sound_catalogue: Engine) -> Iterator[Connection]:
    with sound_catalogue.connect() as connection:
        yield connection  # never committed


def _found(catalogue: Connection, check: str) -> Finding:
    return find(catalogue, CHECKS[check], redact=lambda text: redact(text, [SECRET, "short"]))


def test_every_check_passes_on_a_sound_catalogue(catalogue: Connection) -> None:
    assert {name for name in CHECKS if not _found(catalogue, name).passed} == set()


def test_every_check_passes_on_an_empty_catalogue(engine: Engine) -> None:
    with engine.begin() as connection:
        assert {name for name in CHECKS if not _found(connection, name).passed} == set()


FIRST = "(SELECT min(work_id) FROM works)"


def _released(date: str, year: int) -> str:
    return f"UPDATE works SET release_date = '{date}', year = {year} WHERE work_id = {FIRST}"


def _image(status: str, error: str) -> str:
    return f"""WITH image AS (
        INSERT INTO image_inventory (key, kind, source_path, source_size, source_at, status, last_error)
        VALUES ('posters/1_large.jpg', 'poster', '/a.jpg', 'w500', now(), '{status}', '{error}') RETURNING key
    ) INSERT INTO work_images SELECT {FIRST}, key FROM image"""


def _run(source: str, error: str | None) -> str:
    message = f"'{error}'" if error else "NULL"
    return f"""INSERT INTO scheduled_ingestion_log (source, trigger_type, movies_checked, movies_skipped,
        movies_ingested, movies_failed, duration_ms, error_message)
    VALUES ('{source}', 'manual', 1, 0, 0, 1, 900, {message})"""


def _calls(calls: int, http_status: int, error: str | None) -> str:
    message = f"'{error}'" if error else "NULL"
    return f"""INSERT INTO tmdb_api_logs (endpoint, http_status, error_message, retry_count)
    SELECT '/movie/1', {http_status}, {message}, 0 FROM generate_series(1, {calls})"""


# check, what spoils the catalogue, what an example tells (empty: it has none)
SPOILED = [
    ("unique_tmdb_ids", "INSERT INTO works (tmdb_id, title) SELECT '0' || min(tmdb_id), 'Twin' FROM works", "TMDB id"),
    ("complete_works_have_rows", f"DELETE FROM works_meta WHERE work_id = {FIRST}", "lacks works_meta"),
    ("complete_works_have_rows", f"DELETE FROM work_cards_cache WHERE work_id = {FIRST}", "lacks work_cards_cache"),
    ("complete_works_have_rows", f"DELETE FROM aggregates WHERE work_id = {FIRST}", "lacks aggregates"),
    ("complete_works_have_rows", f"DELETE FROM rating_sources WHERE work_id = {FIRST}", "lacks rating_sources"),
    (
        "works_have_all_parts",
        f"UPDATE works SET missing_parts = '{{credits,videos}}' WHERE work_id = {FIRST}",
        "lacks credits, videos",
    ),
    (
        "no_adult_works",
        f"UPDATE works SET added_by = 'discovery', adult_since = '2026-01-02' WHERE work_id = {FIRST}",
        "since 2026-01-02",
    ),
    ("no_shown_work_gone", f"UPDATE works SET gone_at = '2026-01-02' WHERE work_id = {FIRST}", "since 2026-01-02"),
    (
        "no_stuck_works",
        f"UPDATE works SET ingestion_status = 'ingesting', claimed_by = 'dead' WHERE work_id = {FIRST}",
        "claimed by dead",
    ),
    (
        "few_failed_works",
        f"""UPDATE works SET ingestion_status = 'failed', failures = 4,
            ingestion_error = '/movie/' || tmdb_id || ': refused'
        WHERE work_id < {FIRST} + 2""",
        "2 x /movie/{id}: refused",
    ),
    (
        "plausible_release_dates",
        f"UPDATE works SET release_date = '1066-10-14', year = 1066 WHERE work_id = {FIRST}",
        "1066",
    ),
    (
        "plausible_release_dates",
        f"UPDATE works SET release_date = '2099-01-01', year = 2099 WHERE work_id = {FIRST}",
        "2099",
    ),
    (
        "plausible_release_dates",
        f"UPDATE works SET year = 1999, release_date = '2001-01-01' WHERE work_id = {FIRST}",
        "year 1999",
    ),
    (
        "refreshed_within_six_months",
        f"UPDATE works SET last_refreshed_at = now() - interval '7 months' WHERE work_id = {FIRST}",
        "(TMDB id",
    ),
    (
        "ingested_lately",
        "UPDATE sync_state SET last_sync_at = now() - interval '9 days' WHERE sync_type = 'scheduled_ingest'",
        "",
    ),
    (
        "refreshed_lately",
        "UPDATE sync_state SET last_sync_at = now() - interval '27 hours' WHERE sync_type = 'daily_refresh'",
        "",
    ),
    (
        "last_ingest",
        _run("mixed", "No page of any list"),
        "No page of any list",
    ),
    (
        "last_refresh",
        _run("refresh", "TMDB is down"),
        "TMDB is down",
    ),
    (
        "last_refresh",
        f"""{_run("refresh", None)}; UPDATE scheduled_ingestion_log SET created_at = now() - interval '1 hour';
        {_run("drain", "TMDB is down")}""",
        "TMDB is down",
    ),
    ("queue_moves", "UPDATE refresh_queue SET due_at = now() - interval '25 hours'", ""),
    # Without a date an entry is due since it was queued.
    ("queue_moves", "UPDATE refresh_queue SET due_at = NULL, queued_at = now() - interval '25 hours'", ""),
    ("images_rehosted", _image("failed", "no JPEG"), "1 x no JPEG"),
    ("no_images_given_up", _image("gave_up", "no JPEG"), "1 x no JPEG"),
    ("credentials", _calls(1, 401, "no such key"), "1 x no such key"),
    ("error_rate", _calls(3, 503, "TMDB answered 503"), "TMDB answered 503"),
    # An answer that is no success, although nobody said what was wrong.
    ("error_rate", _calls(3, 500, None), "HTTP 500"),
    (
        "sound_candidates",
        """WITH batch AS (
            INSERT INTO ingest_batches (run_id, source, max_movies, pages_per_source, trigger_type, movies_checked,
                movies_skipped, started_at)
            VALUES ('run-1', 'popular', 1, 1, 'manual', 1, 0, now()) RETURNING batch_id
        ) INSERT INTO ingest_candidates (batch_id, rank, tmdb_id, title, sources)
        SELECT batch_id, 1, '0', 'A', '{popular}' FROM batch""",
        "rank 1: 0 A",
    ),
    (
        "complete_lists",
        """INSERT INTO list_snapshots (run_id, source, rank, page, tmdb_id, title, fetched_at)
        VALUES ('run-1', 'popular', 21, 2, '603', 'A', now())""",
        "popular: 1 movies on 1 of 2 pages",
    ),
    ("no_secret_in_logs", "UPDATE tmdb_api_logs SET error_message = 'api_key=0123456789'", "[redacted]"),
    ("scores_in_range", f"UPDATE aggregates SET ai_score = 101 WHERE work_id = {FIRST}", "101 in"),
    ("scores_in_range", f"UPDATE aggregates SET ai_score_low = ai_score + 1 WHERE work_id = {FIRST}", "in "),
    ("scores_in_range", f"UPDATE rating_sources SET value_raw = 11 WHERE work_id = {FIRST}", "rating by TMDB: 11"),
    (
        "valid_cards",
        f'UPDATE work_cards_cache SET payload = payload || \'{{"backdrop": ""}}\' WHERE work_id = {FIRST}',
        "$.backdrop",
    ),
    ("valid_cards", f"UPDATE work_cards_cache SET payload = payload - 'title' WHERE work_id = {FIRST}", '"title"'),
]


@pytest.mark.parametrize(("check", "spoil", "example"), SPOILED)
def test_a_check_finds_what_is_wrong(check: str, spoil: str, example: str, catalogue: Connection) -> None:
    catalogue.exec_driver_sql(spoil)

    finding = _found(catalogue, check)

    assert not finding.passed
    assert finding.figures
    assert example in " ".join(finding.examples)


@pytest.mark.parametrize(("check", "spoil", "example"), [one for one in SPOILED if CHECKS[one[0]].of_movies])
def test_a_run_looks_at_the_movies_that_it_ingested(
    check: str, spoil: str, example: str, catalogue: Connection
) -> None:
    for run_id, movies in (("one", f"work_id = {FIRST}"), ("others", f"work_id > {FIRST}")):
        catalogue.exec_driver_sql(f"""WITH batch AS (
            INSERT INTO ingest_batches (run_id, source, max_movies, pages_per_source, trigger_type, movies_checked,
                movies_skipped, started_at)
            VALUES ('{run_id}', 'popular', 1, 1, 'manual', 1, 0, now()) RETURNING batch_id
        ) INSERT INTO ingest_candidates (batch_id, rank, tmdb_id, title, sources, outcome)
        SELECT batch_id, row_number() OVER (), tmdb_id, title, '{{popular}}', 'ingested' FROM batch, works
        WHERE {movies}""")
    catalogue.exec_driver_sql(spoil)

    found = {run: find(catalogue, CHECKS[check], run_id=run, ingested=True) for run in ("one", "others", "none")}

    assert {run: finding.passed for run, finding in found.items()} == {"one": False, "others": True, "none": True}
    assert example in " ".join(found["one"].examples)


def test_every_check_is_seen_to_fail() -> None:
    assert {check for check, *_ in SPOILED} == set(CHECKS)


# check, what is as it may be
TOLERATED = [
    ("credentials", _calls(1, 403, "/movie/1: not TMDB but CloudFront (text/html) answered 403.")),
    (
        "no_stuck_works",
        f"""INSERT INTO run_leases (run_id, job, expires_at) VALUES ('alive', 'test', now() + interval '1 hour');
        UPDATE works SET ingestion_status = 'ingesting', claimed_by = 'alive' WHERE work_id = {FIRST}""",
    ),
    (
        "few_failed_works",
        f"UPDATE works SET ingestion_status = 'failed', failures = 4, gone_at = now() WHERE work_id < {FIRST} + 2",
    ),
    # The queue tries them again.
    ("few_failed_works", f"UPDATE works SET ingestion_status = 'failed', failures = 3 WHERE work_id < {FIRST} + 2"),
    # TMDB has no votes.
    (
        "complete_works_have_rows",
        f"""DELETE FROM rating_sources WHERE work_id = {FIRST};
        UPDATE aggregates SET audience_score = NULL WHERE work_id = {FIRST}""",
    ),
    # A retry waits for its time.
    (
        "queue_moves",
        "UPDATE refresh_queue SET due_at = now() + interval '1 day', queued_at = now() - interval '9 days'",
    ),
    # It waited for its time until a minute ago.
    (
        "queue_moves",
        "UPDATE refresh_queue SET due_at = now() - interval '1 minute', queued_at = now() - interval '2 days'",
    ),
    ("error_rate", _calls(2, 503, "TMDB answered 503")),
    (
        "last_ingest",
        f"""{_run("mixed", "TMDB is down")}; UPDATE scheduled_ingestion_log SET created_at = now() - interval '1 day';
        {_run("mixed", None)}""",
    ),
    (
        "last_refresh",
        f"""{_run("drain", "TMDB is down")}; UPDATE scheduled_ingestion_log SET created_at = now() - interval '1 day';
        {_run("refresh", None)}""",
    ),
    ("ingested_lately", "DELETE FROM sync_state"),
    # As in a catalogue that was taken over.
    (
        "unique_tmdb_ids",
        """ALTER TABLE works ALTER COLUMN tmdb_id DROP NOT NULL;
        INSERT INTO works (tmdb_id, title) VALUES (NULL, ''), (NULL, '')""",
    ),
]


@pytest.mark.parametrize(("check", "change"), TOLERATED)
def test_a_check_passes_where_nothing_is_wrong(check: str, change: str, catalogue: Connection) -> None:
    catalogue.exec_driver_sql(change)

    assert _found(catalogue, check).passed


def test_all_cards_of_a_small_catalogue_are_checked(catalogue: Connection) -> None:
    assert _found(catalogue, "valid_cards").figures["cards checked"] == MOVIES


@pytest.mark.parametrize(
    ("column", "content"),
    [
        ("error_message", f"'cannot reach https://host/?key={SECRET}'"),
        ("error_message", "'cannot reach https://host/?key=s3cret%2Fwith%2Bsigns'"),
        ("error_message", "'GET /movie/603?api_key=0123456789abcdef'"),
        ("query_params", """'{"api_key": "0123456789abcdef"}'"""),
        ("metadata", """'{"headers": {"Authorization": "Bearer abc.def"}}'"""),
    ],
)
def test_a_credential_in_the_log_is_found_and_not_shown(column: str, content: str, catalogue: Connection) -> None:
    before = _found(catalogue, "no_secret_in_logs")
    first = "(SELECT min(id) FROM tmdb_api_logs)"
    catalogue.exec_driver_sql(f"UPDATE tmdb_api_logs SET {column} = {content.replace('%', '%%')} WHERE id = {first}")

    finding = _found(catalogue, "no_secret_in_logs")

    assert (before.passed, before.figures) == (True, {"calls searched": MOVIES, "calls with a secret": 0})
    assert (finding.passed, finding.figures["calls with a secret"]) == (False, 1)
    (example,) = finding.examples
    assert "[redacted]" in example
    assert all(part not in example for part in ("s3cret", "0123456789", "abc.def"))


def test_a_redacted_message_is_no_finding(catalogue: Connection) -> None:
    catalogue.exec_driver_sql("UPDATE tmdb_api_logs SET error_message = 'went to http://host/?api_key=[redacted]'")

    assert _found(catalogue, "no_secret_in_logs").passed


def test_titles_in_examples_are_no_markdown() -> None:
    title = "![x](http://evil/p.png) <b>bold</b> www.evil \x1b[31m"
    finding = Finding("a", "works", "error", passed=False, text="", advice="", figures={}, examples=(title,))

    shown = str(result(finding).metadata["examples"].value)

    assert shown == (r"* \!\[x\](http\://evil/p.png) \<b\>bold\</b\> www\.evil \\x1b\[31m")
