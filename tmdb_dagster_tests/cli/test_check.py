"""`tmdb-dagster check`: every rule on a catalogue that keeps it, and on one where it is broken."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from tmdb_dagster.cli.main import main
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.redaction import redact
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.warehouse.checks.proof import INVARIANTS, prove
from tmdb_dagster_tests.pipeline.enriching import enriched, some_movies
from tmdb_dagster_tests.warehouse.database import execute

SECRET = "s3cret/with+signs"
FIRST = "(SELECT min(work_id) FROM works)"
POSTER = f"'posters/' || {FIRST} || '_large.jpg'"
LIVE = "INSERT INTO run_leases (run_id, job, expires_at) VALUES ('alive', 'test', now() + interval '20 seconds');"


def _batch(closed_at: str, outcome: str) -> str:
    return f"""WITH batch AS (
        INSERT INTO ingest_batches (run_id, source, max_movies, pages_per_source, trigger_type, movies_checked,
            movies_skipped, started_at, closed_at)
        VALUES ('lost', 'popular', 1, 1, 'manual', 1, 0, now(), {closed_at}) RETURNING batch_id
    ) INSERT INTO ingest_candidates (batch_id, rank, tmdb_id, title, sources, outcome)
    SELECT batch_id, 1, '603', 'A', '{{popular}}', {outcome} FROM batch"""


def _work(columns: str) -> str:
    return f"UPDATE works SET {columns} WHERE work_id = {FIRST}"


def _entry(columns: str) -> str:
    return f"UPDATE refresh_queue SET {columns} WHERE work_id = {FIRST}"


def _card(change: str) -> str:
    return f"UPDATE work_cards_cache SET {change} WHERE work_id = {FIRST}"


def _image(columns: str) -> str:
    return f"UPDATE image_inventory SET {columns} WHERE key = {POSTER}"


# rule, what breaks it, what an example tells
BROKEN = [
    ("complete_works_have_rows", f"DELETE FROM works_meta WHERE work_id = {FIRST}", "lacks works_meta"),
    ("unique_tmdb_ids", "INSERT INTO works (tmdb_id, title) SELECT '0' || min(tmdb_id), 'Twin' FROM works", "TMDB id"),
    ("scores_in_range", f"UPDATE aggregates SET ai_score = 101 WHERE work_id = {FIRST}", "101 in"),
    ("valid_cards", _card("payload = payload - 'overview'"), '"overview"'),
    ("no_stuck_works", _work("ingestion_status = 'ingesting', claimed_by = 'dead'"), "claimed by dead"),
    ("no_secret_in_logs", f"UPDATE tmdb_api_logs SET error_message = '{SECRET}'", "/movie/{id}"),
    ("answers_are_stored", f"DELETE FROM movie_responses WHERE work_id = {FIRST}", "(TMDB id "),
    ("works_are_in_one_state", _work("claimed_by = 'run-9'"), "claimed by run-9"),
    ("works_are_in_one_state", _work("status_before_claim = 'pending'"), "before pending"),
    ("works_are_in_one_state", _work("gone_at = now()"), "gone at"),
    ("entries_are_in_one_state", _entry("status = 'processing'"), "claimed by nobody"),
    ("entries_are_in_one_state", _entry("status = 'processing', claimed_by = 'dead'"), "claimed by dead"),
    (
        "entries_are_in_one_state",
        LIVE + _entry("status = 'completed', claimed_by = 'alive'"),
        "completed, claimed",
    ),
    (
        "one_open_entry",
        "DROP INDEX refresh_queue_open_work_id_key; INSERT INTO refresh_queue (work_id) SELECT work_id FROM works",
        "entries 1, ",
    ),
    ("tries_within_bounds", _entry("retry_count = 4"), "4 retries"),
    ("tries_within_bounds", _image("attempts = 8"), "stored after 8 failures"),
    ("tries_within_bounds", _image("status = 'gave_up', attempts = 2"), "gave_up after 2 failures"),
    ("tries_within_bounds", _work("failures = -1"), "-1 failures"),
    ("cards_agree", _work("title = 'Another'"), "the short title, title"),
    ("cards_agree", _card("payload = jsonb_set(payload, '{tmdb_id}', '\"5\"')"), ": tmdb_id"),
    ("cards_agree", f"UPDATE works_meta SET poster_url_small = 'http://a/b' WHERE work_id = {FIRST}", "poster.small"),
    ("images_agree", _image("sha256 = 'other'"), "_large.jpg"),
    ("images_agree", _image("bytes = NULL"), "without a place"),
    ("images_agree", _image(f"work_id = {FIRST} + 1"), "is of work"),
    ("images_agree", f"UPDATE works_meta SET poster_url_large = 'http://a/b' WHERE work_id = {FIRST}", "http://a/b"),
    ("batches_are_owned", _batch("NULL", "NULL"), "of run lost"),
    ("closed_batches_are_logged", _batch("now()", "'ingested'"), "of run lost"),
    ("one_origin", "INSERT INTO catalogue_origin VALUES ('sandbox')", "sandbox and tmdb"),
    (
        "keys_are_unique",
        f"""ALTER TABLE rating_sources DROP CONSTRAINT rating_sources_work_id_source_name_key;
        INSERT INTO rating_sources (work_id, source_name) VALUES ({FIRST}, 'TMDB')""",
        "rating_sources: 2 rows with work_id, source_name",
    ),
    (
        "rows_have_their_movie",
        """ALTER TABLE refresh_queue DROP CONSTRAINT refresh_queue_work_id_fkey;
        INSERT INTO refresh_queue (work_id) VALUES (123456)""",
        "refresh_queue: work_id 123456",
    ),
    ("no_time_ahead", _work("last_refreshed_at = now() + interval '10 minutes'"), "works.last_refreshed_at"),
    ("no_time_ahead", _work("retry_at = now() + interval '32 days'"), "works.retry_at"),
    (
        "no_time_ahead",
        "INSERT INTO sync_state (sync_type, last_sync_cursor) VALUES ('daily_refresh', (current_date + 3)::text)",
        "daily_refresh has come to",
    ),
    ("no_time_ahead", "UPDATE rate_limits SET permits = ARRAY[now() + interval '3 days']", "rate_limits.permits"),
    ("no_secret_stored", _work(f"ingestion_error = 'at ?key={SECRET}'"), "works: 1 rows"),
    ("no_secret_stored", "UPDATE works_meta SET keywords = ARRAY['s3cret%%2Fwith%%2Bsigns']", "works_meta: 3 rows"),
    (
        "no_secret_stored",
        f"UPDATE movie_responses SET body = convert_to('{SECRET}', 'UTF8') WHERE work_id = {FIRST}",
        "movie_responses: 1 rows",
    ),
]


def check() -> Result:
    return CliRunner().invoke(main, ["check"])


@pytest.fixture
def catalogue(
    start_run: Callable[..., Run], engine: Engine, sandbox: SandboxServer, image_folder: Path, image_server: str
) -> Engine:
    """Three movies with their images as a run writes them, and a queue."""
    run = start_run(movie_images_store="local", movie_images_folder=image_folder, movie_images_public_url=image_server)
    enriched(run, some_movies(sandbox, 3))
    run.api_log.close()
    execute(engine, "INSERT INTO refresh_queue (work_id) SELECT work_id FROM works")
    execute(engine, "INSERT INTO rate_limits (name) VALUES ('tmdb') ON CONFLICT DO NOTHING")
    return engine


def test_every_rule_holds_of_what_a_run_writes(catalogue: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    done = check()

    assert done.exit_code == 0, done.output
    *lines, last = done.output.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [["ok", rule.name] for rule in INVARIANTS]
    assert last == f"All {len(INVARIANTS)} rules hold."


def test_every_rule_holds_of_an_empty_catalogue(settings_environment: dict[str, str]) -> None:
    assert check().exit_code == 0


def test_a_broken_rule_is_named(catalogue: Engine, subtests: pytest.Subtests) -> None:
    for rule, sql, example in BROKEN:
        with subtests.test(rule, sql=sql), catalogue.connect() as connection:  # never committed
            connection.exec_driver_sql(sql)
            broken = {one.name: one for one in prove(connection, partial(redact, secrets=[SECRET])) if not one.passed}
            assert rule in broken
            assert broken[rule].asked
            assert example in " ".join(broken[rule].examples)


def test_every_rule_is_seen_to_be_broken() -> None:
    assert {rule for rule, *_ in BROKEN} == {rule.name for rule in INVARIANTS}


def test_what_is_broken_is_shown_with_an_example_that_a_terminal_does_not_obey(catalogue: Engine) -> None:
    execute(catalogue, f"UPDATE works SET title = E'Red \\x1b[31m' WHERE work_id = {FIRST}")

    done = check()

    assert done.exit_code == 1
    assert "broken: cards_agree: Cards that disagree: 1, such as Red " in done.output
    assert "\x1b" not in done.output
    assert done.output.endswith(f"Of {len(INVARIANTS)} rules 1 are broken, and 0 could not be checked.\n")


def test_what_cannot_be_looked_at_is_no_verdict(catalogue: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(catalogue, "ALTER TABLE rating_sources RENAME COLUMN value_raw TO value_before")
    done = check()
    assert done.exit_code == 2
    assert "not checked: scores_in_range: This could not be checked: " in done.output

    monkeypatch.setenv("DATABASE_URL", "postgresql://movies@127.0.0.1:1/catalogue")
    done = check()
    assert (done.exit_code, done.stderr.startswith("Error: ")) == (2, True)

    monkeypatch.setenv("TMDB_CONCURRENCY", "many")
    assert check().exit_code == 2
