"""A bucket that says a file is stored and keeps none, and lists itself wrongly; a good repair later all is right."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import Engine

from tmdb_dagster.images.errors import StoreError
from tmdb_dagster.pipeline.repair import RepairReport, repair_images
from tmdb_dagster.pipeline.run import open_run
from tmdb_dagster.settings import Settings
from tmdb_dagster_tests.faults.conftest import MOVIES, ingest
from tmdb_dagster_tests.images.test_unreliable_buckets import listing
from tmdb_dagster_tests.serving import answering
from tmdb_dagster_tests.warehouse.database import execute, value

BAD_PUTS = [
    b"<Error><Code>InternalError</Code></Error>",
    b"<html><body>Please log in</body></html>",
    b'{"message": "stored"}',
]
"""Answers to a PUT with status 200, without the file being kept."""

PAGE = 50
Lister = Callable[[list[str], str | None], str]


def _in_order(keys: list[str], token: str | None) -> str:
    """As S3 lists: by key, a page at a time."""
    start = int(token or 0)
    more = start + PAGE < len(keys)
    return listing(sorted(keys)[start : start + PAGE], truncated=more, token=str(start + PAGE) if more else None)


def _backwards(keys: list[str], token: str | None) -> str:
    """Everything, in an order of its own, and every key twice."""
    return listing([*sorted(keys, reverse=True), *keys])


BAD_LISTINGS: dict[str, Lister] = {
    "the same token": lambda keys, _: listing(keys[:PAGE], truncated=True, token="same"),
    "no token": lambda keys, _: listing(keys[:PAGE], truncated=True),
    "no end": lambda _, token: listing([], truncated=True, token=f"{token}x"),
    "a page": lambda *_: "<html><body>Welcome</body></html>",
    "nothing": lambda *_: "",
    "half of it": lambda keys, _: listing(keys)[:400],
}


class Bucket:
    """Keeps the keys of files in memory; every second PUT is answered with one of BAD_PUTS while `lying`."""

    def __init__(self) -> None:
        self.keys: dict[str, None] = {}
        self.lister: Lister = _in_order
        self.lying = True
        self.lies = self.listings = self.puts = 0
        self._lock = threading.Lock()
        bucket = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                token = parse_qs(urlsplit(self.path).query).get("continuation-token", [None])[0]
                self.say(bucket.listed(token))

            def do_PUT(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.say(bucket.put(urlsplit(self.path).path.removeprefix("/movie-images/")))

            def say(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("ETag", '"not-an-md5"')
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def put(self, key: str) -> bytes:
        with self._lock:
            self.puts += 1
            if self.lying and self.puts % 2:
                self.lies += 1
                return BAD_PUTS[self.lies % len(BAD_PUTS)]
            self.keys[key] = None
            return b""

    def listed(self, token: str | None) -> bytes:
        with self._lock:
            self.listings += 1
            return self.lister(list(self.keys), token).encode()


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    bucket = Bucket()
    with answering(bucket.server):
        yield bucket


def _repair(settings: Settings, run_id: str, *, verify: bool = True) -> RepairReport:
    with open_run(settings, run_id=run_id, job="repair_images", origin="tmdb") as run:
        return repair_images(run, lambda _: None, everything=True, verify=verify)


def _stored(engine: Engine) -> set[str]:
    keys: str = value(engine, "SELECT string_agg(key, ' ') FROM image_inventory WHERE status = 'stored'")
    return set(keys.split())


def test_a_bucket_that_lies(
    *,
    settings: Settings,
    engine: Engine,
    bucket: Bucket,
    check: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIADISTINCT0FOURS")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3-secret-0f-ours")
    monkeypatch.setattr("tmdb_dagster.images.s3._PAGES_WITHOUT_KEYS", 5)
    ours = {"movie_images_store": "s3", "aws_endpoint_url_s3": bucket.url, "aws_region": "us-east-1"}
    in_bucket = settings.model_copy(update=ours)

    ingest(in_bucket, "run-1")

    assert bucket.lies > len(BAD_PUTS)
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'complete'") == MOVIES
    assert _stored(engine) <= bucket.keys.keys(), "what is called stored is there"
    check()

    bucket.lying = False
    _repair(in_bucket, "repair", verify=False)
    stored = _stored(engine)
    assert stored <= bucket.keys.keys()
    assert value(engine, "SELECT count(*) FROM image_inventory WHERE status <> 'stored'") == 0
    check()

    for name, lister in BAD_LISTINGS.items():
        bucket.lister, before = lister, bucket.listings
        with pytest.raises(StoreError):
            _repair(in_bucket, f"with {name}")
        assert bucket.listings > before, name
        assert _stored(engine) == stored, name
        check()

    for good in (_in_order, _backwards):
        bucket.lister, puts = good, bucket.puts
        report = _repair(in_bucket, good.__name__)
        assert (report.lost, report.fetched, bucket.puts) == (0, 0, puts), "nothing is fetched again"
        check()
    lost = sorted(bucket.keys)[::10]
    for key in lost:
        del bucket.keys[key]
    assert _repair(in_bucket, "with files lost").lost == len(lost)
    assert _stored(engine) == stored == bucket.keys.keys()
    execute(engine, "UPDATE run_leases SET expires_at = clock_timestamp()")
    check()
