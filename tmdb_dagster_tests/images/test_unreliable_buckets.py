"""Buckets whose answers are not to be believed; the server says what no real one can be made to say."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from tmdb_dagster.images import s3
from tmdb_dagster.images.errors import StoreRefused, StoreUnavailable
from tmdb_dagster.images.s3 import S3Store
from tmdb_dagster_tests.serving import answering

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
Pages = Callable[[str | None], str]


class Bucket:
    """Lists what `pages` says of a continuation token, and answers a PUT with `stored`, 200."""

    def __init__(self) -> None:
        self.pages: Pages = lambda _: listing([])
        self.stored = b""
        self.drips = False
        self.asked = 0
        bucket = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                token = parse_qs(urlsplit(self.path).query).get("continuation-token", [None])[0]
                self.say(bucket.pages(token).encode())

            def do_PUT(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.say(bucket.stored)

            def say(self, body: bytes) -> None:
                bucket.asked += 1
                self.send_response(200)
                if bucket.drips:
                    self.drip()
                    return
                self.send_header("ETag", '"x"')
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def drip(self) -> None:
                self.close_connection = True
                self.flush_headers()
                for _ in range(100):
                    try:
                        self.wfile.write(b"x")
                    except OSError:
                        return
                    time.sleep(0.02)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    bucket = Bucket()
    with answering(bucket.server):
        yield bucket


@pytest.fixture
def store(bucket: Bucket) -> S3Store:
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    return S3Store("images", endpoint=bucket.url, region="us-east-1", credentials=keys, public_url=None, connections=1)


def listing(keys: list[str], *, truncated: bool = False, token: str | None = None) -> str:
    items = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in keys)
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="{NAMESPACE}"><Name>images</Name>'
        f"<IsTruncated>{str(truncated).lower()}</IsTruncated>{more}{items}</ListBucketResult>"
    )


def test_keys_are_put_in_order(bucket: Bucket, store: S3Store) -> None:
    bucket.pages = lambda token: (
        listing(["stills/1.jpg", "cast/9.jpg"]) if token else listing(["posters/1.jpg"], truncated=True, token="more")
    )

    assert [key for page in store.pages() for key in page] == ["cast/9.jpg", "posters/1.jpg", "stills/1.jpg"]


@pytest.mark.parametrize(
    ("pages", "reason"),
    [
        (lambda _: listing(["cast/1.jpg"], truncated=True, token="same"), "goes round in circles"),
        (lambda token: listing(["cast/1.jpg"], truncated=True, token=f"{token}x"), "goes round in circles"),
        (lambda _: listing(["cast/1.jpg"], truncated=True), "does not say how it goes on"),
        (lambda _: "<html><body>Welcome</body></html>", "answers with something else"),
    ],
    ids=["the same token", "no new keys", "no token", "a page"],
)
def test_a_listing_that_cannot_be_relied_on_is_refused(
    pages: Pages, reason: str, bucket: Bucket, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_PAGES_WITHOUT_KEYS", 5)
    bucket.pages = pages

    with pytest.raises(StoreRefused, match=f"s3://images at .*{reason}"):
        list(store.pages())
    assert bucket.asked < 10


@pytest.mark.parametrize(
    "body",
    [
        "<Error><Code>InternalError</Code></Error>",
        f'<Error xmlns="{NAMESPACE}"><Code>InternalError</Code></Error>',
        "<html><body>Please log in</body></html>",
    ],
    ids=["an error", "with a namespace", "a page"],
)
def test_an_error_that_is_answered_as_200_is_one(
    body: str, bucket: Bucket, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # botocore's, between the attempts
    bucket.stored = body.encode()

    with pytest.raises(StoreUnavailable, match="answered 500"):
        store.put("cast/1.jpg", b"x")
    assert bucket.asked == 1 + 3, "by obstore, and by boto3, which gives the verdict"


def test_a_bucket_whose_etag_is_no_md5_is_left_to_boto3(bucket: Bucket, store: S3Store) -> None:
    for _ in range(5):
        store.put("cast/1.jpg", b"x")

    assert bucket.asked == 3 * 2 + 2


def test_an_upload_does_not_outlast_the_deadline(
    bucket: Bucket, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "ANSWER_TIMEOUT_S", 0.2)
    monkeypatch.setattr(s3, "_ATTEMPTS", 1)
    bucket.drips = True

    with pytest.raises(StoreUnavailable, match=r"does not answer .*not complete in time"):
        store.put("cast/1.jpg", b"x")
