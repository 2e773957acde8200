"""Rehosting as a run does it: sandbox, Postgres, and both stores, read as anybody reads them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
import urllib3
from sqlalchemy import Engine

from tmdb_dagster.pipeline import rehost
from tmdb_dagster.pipeline.ingest import ingest_movie
from tmdb_dagster.pipeline.rebuild import rebuild_from_raw
from tmdb_dagster.pipeline.repair import RepairReport, repair_images, repair_movie
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.services.image_store import open_store
from tmdb_dagster.settings import load_settings
from tmdb_dagster_tests.pipeline.enriching import some_movies
from tmdb_dagster_tests.seaweed import S3Server
from tmdb_dagster_tests.warehouse.database import DERIVED, contents, execute, rows, value

Start = Callable[..., Run]
IMAGES = "/t/p/.*|/vi/.*"


@pytest.fixture
def start(image_store: str, start_run: Start) -> Start:
    """Starts runs that rehost; the settings are read when the store is chosen."""
    chosen = {name: val for name, val in load_settings().model_dump().items() if name.startswith(("movie_", "aws_"))}
    return lambda run_id="run-1", **changes: start_run(run_id, **{**chosen, **changes})


def urls(shown: Any) -> set[str]:
    """Every URL in a row."""
    if isinstance(shown, dict):
        return {url for item in shown.values() for url in urls(item)}
    if isinstance(shown, list):
        return {url for item in shown for url in urls(item)}
    return {shown} if isinstance(shown, str) and shown.startswith("http") else set()


def shown_urls(engine: Engine) -> tuple[set[str], set[str]]:
    """Image URLs of works_meta and of the cards, without those that stay at TMDB by design."""
    (meta,) = rows(
        engine,
        "SELECT to_jsonb(m) - '{poster_url_small,poster_url_original,crew_members,streaming}'::text[]"
        " FROM works_meta m",
    )
    (card,) = rows(
        engine, "SELECT payload - '{streaming,attribution}'::text[] #- '{poster,small}' FROM work_cards_cache"
    )
    return urls(meta[0]), urls(card[0])


def inventory(engine: Engine) -> dict[str, int]:
    return {row.status: row.n for row in rows(engine, "SELECT status, count(*) AS n FROM image_inventory GROUP BY 1")}


def repair(run: Run, *, everything: bool = True, verify: bool = False) -> RepairReport:
    return repair_images(run, lambda _rows: None, everything=everything, verify=verify)


def test_every_url_answers_an_anonymous_reader(start: Start, engine: Engine) -> None:
    outcome = ingest_movie(start(), 603)

    store = open_store(load_settings())
    assert store is not None
    ours = store.public_url("")
    for shown in shown_urls(engine):
        rehosted = {url for url in shown if url.startswith(ours)}
        assert len(rehosted) > 10
        for url in rehosted:
            answer = urllib3.request("GET", url, retries=False)
            assert (answer.status, answer.headers["Content-Type"]) == (200, "image/jpeg"), url
    assert outcome.images is not None
    assert inventory(engine) == {"stored": outcome.images.moved}
    assert value(engine, "SELECT bool_and(sha256 IS NOT NULL) FROM work_images")
    assert value(engine, "SELECT payload_short ->> 'poster' FROM work_cards_cache").startswith(ours)


def test_a_refresh_of_an_unchanged_movie_moves_no_byte(start: Start, engine: Engine, sandbox: SandboxServer) -> None:
    ingest_movie(start(), 603)
    before = rows(engine, "SELECT key, checked_at FROM image_inventory ORDER BY key")
    sandbox.reset()

    assert ingest_movie(start("run-2"), 603, force_refresh=True).status == "unchanged"
    sandbox.faults.add(Fault("/movie/603", "patch", body={"tagline": "Another tagline"}))
    again = ingest_movie(start("run-3"), 603, force_refresh=True)

    assert sandbox.stats.image_calls == 0
    assert again.images is not None
    assert (again.images.moved, again.images.missing) == (0, 0)
    assert again.status == "ingested"
    assert rows(engine, "SELECT key, checked_at FROM image_inventory ORDER BY key") == before


def test_a_changed_path_replaces_the_file_and_its_url(start: Start, engine: Engine, sandbox: SandboxServer) -> None:
    ingest_movie(start(), 603)
    before = {row.key: row.sha256 for row in rows(engine, "SELECT key, sha256 FROM image_inventory")}
    meta_before, card_before = shown_urls(engine)
    other = orjson.loads(sandbox.catalogue.body(550, (), None).plain)["poster_path"]
    sandbox.reset()
    sandbox.faults.add(Fault("/movie/603", "patch", body={"poster_path": other}))
    again = ingest_movie(start("run-2"), 603, force_refresh=True)

    after = {row.key: row.sha256 for row in rows(engine, "SELECT key, sha256 FROM image_inventory")}
    changed = {key for key in after if after[key] != before.get(key)}
    assert {key.split("/")[0] for key in changed} == {"posters"}
    assert again.images is not None
    assert again.images.moved == sandbox.stats.image_calls == 2
    meta, card = shown_urls(engine)
    assert {urlsplit(url).path.split("/")[-2] for url in meta - meta_before} == {"posters"}
    assert len(meta - meta_before) == len(card - card_before) == 2
    for url in meta - meta_before:
        content = urllib3.request("GET", url, retries=False).data
        assert parse_qs(urlsplit(url).query) == {"v": [hashlib.sha256(content).hexdigest()[:8]]}


def test_a_shared_photo_that_one_movie_replaced_gets_its_new_url_in_the_others(
    start: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    def cast_members(tmdb_id: int) -> Any:
        cast = "SELECT cast_members FROM works_meta JOIN works USING (work_id) WHERE tmdb_id = :tmdb_id"
        return value(engine, cast, tmdb_id=str(tmdb_id))

    first, second = some_movies(sandbox, 2)
    credited = orjson.loads(sandbox.catalogue.body(603, ("credits",), None).plain)["credits"]
    somebody, other = [one for one in credited["cast"] if one["profile_path"]][:2]
    retaken = {**somebody, "profile_path": other["profile_path"]}
    sandbox.faults.add(Fault(f"/movie/{first}", "patch", body={"credits": credited}))
    sandbox.faults.add(Fault(f"/movie/{second}", "patch", body={"credits": {"cast": [retaken], "crew": []}}))
    run = start()
    etag = ingest_movie(run, first).etag
    before = cast_members(first)
    ingest_movie(run, second)
    assert cast_members(first) == before

    assert repair(run).movies == 1

    after = cast_members(first)
    changed = [entry for entry, earlier in zip(after, before, strict=True) if entry != earlier]
    assert {entry["person_id"] for entry in changed} == {str(somebody["id"])}
    assert changed[0]["photo_url_medium"] == cast_members(second)[0]["photo_url_medium"]
    assert value(engine, "SELECT count(*) FROM work_cards_cache WHERE etag = :etag", etag=etag) == 0
    assert repair(run).movies == 0


@pytest.mark.parametrize(
    "fault",
    [
        Fault(IMAGES, "status", status=404),
        Fault(IMAGES, "status", status=500, headers={"Retry-After": "0"}),
        Fault(IMAGES, "truncate"),
        Fault(IMAGES, "html"),
        Fault(IMAGES, "drop"),
    ],
    ids=["404", "500", "truncated", "html", "dropped"],
)
def test_what_cannot_be_fetched_stays_at_tmdb_until_it_is_repaired(
    fault: Fault, start: Start, engine: Engine, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmdb_dagster.images.download.LONGEST_WAIT_S", 0.01)
    sandbox.faults.add(fault)
    run = start()

    outcome = ingest_movie(run, 603)

    assert outcome.status == "ingested"
    assert sandbox.faults.fired > 10
    for shown in shown_urls(engine):
        assert all(url.startswith((sandbox.image_url, sandbox.youtube_url)) for url in shown)
    assert set(inventory(engine)) == {"failed"}
    assert value(engine, "SELECT bool_and(last_error LIKE '%http%' AND next_attempt_at > now()) FROM image_inventory")
    etag = value(engine, "SELECT etag FROM work_cards_cache")

    sandbox.reset()
    assert repair(run, everything=False).fetched == 0, "nothing is due yet"
    assert sandbox.stats.image_calls == 0
    monkeypatch.setattr(rehost, "PAUSE_S", 0)
    run = start("run-2")
    report = repair(run)

    assert (report.failed, report.movies) == (0, 1)
    assert inventory(engine) == {"stored": report.fetched}
    for shown in shown_urls(engine):
        assert not any(url.startswith(sandbox.youtube_url) for url in shown)
    assert value(engine, "SELECT etag FROM work_cards_cache") != etag


def test_failures_grow_rarer_and_are_given_up_visibly(
    start: Start, engine: Engine, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.faults.add(Fault(IMAGES, "status", status=404))
    run = start()
    ingest_movie(run, 603)
    delays = []
    for _ in range(7):
        delays.append(
            value(engine, "SELECT extract(epoch FROM max(next_attempt_at - checked_at)) / 60 FROM image_inventory")
        )
        execute(engine, "UPDATE image_inventory SET next_attempt_at = now()")
        repair(run, everything=False)

    assert [round(delay) for delay in delays] == [30, 60, 120, 240, 480, 960, 1440]
    assert set(inventory(engine)) == {"gave_up"}
    assert repair(run, everything=False).failed == 0, "given up"
    sandbox.faults.clear()
    assert repair(run).fetched == value(engine, "SELECT count(*) FROM image_inventory"), "a person tries all"


def test_a_rebuild_keeps_our_urls(start: Start, engine: Engine) -> None:
    run = start()
    ingest_movie(run, 603)
    rebuild_from_raw(run.engine, run.settings, lambda _rebuilt: None)
    before = contents(engine, *DERIVED, "work_images", without=("updated_at", "computed_at", "last_seen_at"))
    execute(engine, "UPDATE works_meta SET poster_url_medium = NULL")
    execute(engine, "DELETE FROM work_cards_cache")

    rebuild_from_raw(run.engine, run.settings, lambda _rebuilt: None)

    after = contents(engine, *DERIVED, "work_images", without=("updated_at", "computed_at", "last_seen_at"))
    assert after == before


def test_a_movie_from_before_is_taken_along(start: Start, start_run: Start, engine: Engine) -> None:
    ingest_movie(start_run("run-0", movie_images_store="none"), 603)
    assert inventory(engine) == {}

    report = repair(start())

    assert report.movies == 1
    assert inventory(engine) == {"stored": report.fetched}


def test_lost_files_are_found_and_fetched_again(start: Start, engine: Engine, sandbox: SandboxServer) -> None:
    run = start()
    ingest_movie(run, 603)
    store = open_store(load_settings())
    assert store is not None
    keys = [row.key for row in rows(engine, "SELECT key FROM image_inventory ORDER BY key")]
    for key in (keys[0], keys[3], keys[-1]):
        store.delete(key)
    sandbox.reset()

    report = repair(run, verify=True)

    assert (report.lost, report.fetched) == (3, 3)
    assert [key for page in store.pages() for key in page] == keys


def test_another_store_gets_everything(start: Start, start_run: Start, engine: Engine, tmp_path: Path) -> None:
    ingest_movie(start(), 603)
    images = value(engine, "SELECT count(*) FROM image_inventory")
    elsewhere = {
        "movie_images_store": "local",
        "movie_images_folder": tmp_path / "elsewhere",
        "movie_images_public_url": "http://127.0.0.1:1",
    }

    report = repair(start_run("run-2", **elsewhere), verify=True)

    assert (report.lost, report.fetched) == (images, images)
    assert len(list((tmp_path / "elsewhere").rglob("*.jpg"))) == images


def test_one_movies_images_are_repaired_on_demand(start: Start, engine: Engine, sandbox: SandboxServer) -> None:
    sandbox.faults.add(Fault("/t/p/w185/.*", "status", status=404))
    run = start()
    ingest_movie(run, 603)
    sandbox.faults.clear()

    movie, report = repair_movie(run, 603)

    assert report.moved > 0
    assert (report.missing, report.errors) == (0, ())
    assert all(image["sha256"] for image in movie.images)


def test_a_shared_photo_is_fetched_once_by_two_runs_at_the_same_moment(
    start: Start, engine: Engine, sandbox: SandboxServer, co_starring: tuple[int, int]
) -> None:
    sandbox.faults.add(Fault("/t/p/w185/.*", "delay", delay_s=0.1))
    runs = [start("run-1"), start("run-2")]
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(ingest_movie, runs, co_starring))

    assert [outcome.images and outcome.images.missing for outcome in outcomes] == [0, 0]
    photos = value(engine, "SELECT count(*) FROM image_inventory WHERE kind = 'cast'")
    shared = value(engine, "SELECT count(*) FROM work_images WHERE key LIKE 'cast/%'")
    assert photos > 1
    assert shared == 2 * photos
    assert value(engine, "SELECT bool_and(sha256 IS NOT NULL) FROM work_images")
    assert sandbox.faults.fired == 2 + photos, "each photo was asked for once"


def test_a_dead_runs_claim_on_a_photo_is_taken_over(start: Start, engine: Engine, co_starring: tuple[int, int]) -> None:
    ingest_movie(start("run-1"), co_starring[0])
    execute(engine, "UPDATE image_inventory SET status = 'pending', claimed_by = 'dead' WHERE kind = 'cast'")

    outcome = ingest_movie(start("run-2"), co_starring[1])

    assert outcome.images is not None
    assert outcome.images.missing == 0


def test_a_bucket_that_goes_half_way_costs_no_movie(
    s3_server: S3Server, bucket: str, start_run: Start, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, val in s3_server.variables(bucket).items():
        monkeypatch.setenv(name, val)
    settings = load_settings()
    chosen = {name: val for name, val in settings.model_dump().items() if name.startswith(("movie_", "aws_"))}
    run = start_run("run-1", **chosen)
    ingest_movie(run, 603)
    client = s3_server.client()
    for item in client.list_objects_v2(Bucket=bucket)["Contents"]:
        client.delete_object(Bucket=bucket, Key=item["Key"])
    client.delete_bucket(Bucket=bucket)

    outcome = ingest_movie(run, 550)

    assert outcome.status == "ingested"
    assert outcome.images is not None
    assert outcome.images.moved == 0
    assert "no such bucket" in outcome.images.errors[0]
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'complete'") == 2


def test_after_many_failures_in_a_row_nothing_is_tried_for_a_while(
    start: Start, engine: Engine, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehost, "OUTAGE", 3)
    monkeypatch.setattr("tmdb_dagster.images.download.ATTEMPTS", 1)
    sandbox.faults.add(Fault(IMAGES, "drop"))

    outcome = ingest_movie(start(movie_images_concurrency=1), 603)

    assert sandbox.faults.fired <= 3 * 3
    assert outcome.images is not None
    assert any("Not tried, after a failure of others" in error for error in outcome.images.errors)
    assert value(engine, "SELECT count(*) FROM image_inventory WHERE attempts = 0") > 0


@pytest.mark.parametrize("image_store", ["local"], indirect=True)
def test_a_host_that_asks_for_a_while_is_left_alone(start: Start, engine: Engine, sandbox: SandboxServer) -> None:
    sandbox.faults.add(Fault(IMAGES, "status", status=429, headers={"Retry-After": "40"}))

    outcome = ingest_movie(start(movie_images_concurrency=1), 603)

    assert sandbox.faults.fired == 1
    assert outcome.images is not None
    assert (outcome.images.moved, outcome.status) == (0, "ingested")


def test_nothing_half_written_stays_in_the_folder(start: Start, image_store: str, tmp_path: Path) -> None:
    if image_store != "local":
        pytest.skip("a bucket has no folder")
    ingest_movie(start(), 603)

    files = [path.name for path in (tmp_path / "images").rglob("*") if path.is_file()]
    assert [name for name in files if name.startswith(".")] == []
    shutil.rmtree(tmp_path / "images")
