"""Both stores, read as anybody reads them; and what the doctor says of a bucket that does not work."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest
import urllib3

from tmdb_dagster.clock import utc_now
from tmdb_dagster.images.errors import StoreRefused, StoreUnavailable
from tmdb_dagster.images.stores import ImageStore
from tmdb_dagster.services.image_store import open_store
from tmdb_dagster.settings import Settings, load_settings
from tmdb_dagster_tests.images.pictures import jpeg
from tmdb_dagster_tests.seaweed import ACCESS_KEY, SECRET_KEY, S3Server


def opened(settings: Settings) -> ImageStore:
    store = open_store(settings)
    assert store is not None
    return store


@pytest.fixture
def store(image_store: str) -> ImageStore:
    return opened(load_settings())


def s3(server: S3Server, bucket: str, **changes: str) -> ImageStore:
    variables = server.variables(bucket, **changes)
    return opened(load_settings(**{name.lower(): value for name, value in variables.items()}))


def read(url: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request("GET", url, retries=False)


def test_anybody_reads_what_was_stored(store: ImageStore) -> None:
    store.put("posters/7_large.jpg", jpeg())

    answer = read(store.public_url("posters/7_large.jpg"))
    assert (answer.status, answer.data) == (200, jpeg())
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Cache-Control"] == "public, max-age=2592000"


def test_a_file_is_replaced_and_removed(store: ImageStore) -> None:
    url = store.public_url("cast/5.jpg")
    store.put("cast/5.jpg", jpeg(seed=1))
    store.put("cast/5.jpg", jpeg(seed=2))
    assert read(url).data == jpeg(seed=2)

    store.delete("cast/5.jpg")
    store.delete("cast/5.jpg")
    assert read(url).status == 404


def test_keys_come_in_the_order_of_their_bytes(store: ImageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tmdb_dagster.images.stores.PAGE", 2)
    keys = ["posters/10_large.jpg", "posters/1_large.jpg", "cast/9.jpg", "cast/10.jpg", "backdrops/1.jpg"]
    for key in keys:
        store.put(key, b"x")

    assert [key for page in store.pages() for key in page] == sorted(keys)


def test_an_empty_store_has_no_keys(store: ImageStore) -> None:
    assert list(store.pages()) == []


def test_a_working_store_has_no_problems(store: ImageStore) -> None:
    assert store.problems() == []
    assert list(store.pages()) == [], "the probe is gone"


def test_a_wrong_secret_is_refused_and_not_told(s3_server: S3Server, bucket: str) -> None:
    store = s3(s3_server, bucket, AWS_SECRET_ACCESS_KEY="wr0ng-s3cret")

    with pytest.raises(StoreRefused, match=r"SignatureDoesNotMatch.*AWS_SECRET_ACCESS_KEY") as caught:
        store.put("cast/5.jpg", jpeg())
    assert "wr0ng-s3cret" not in f"{caught.value}{caught.value.__cause__}"
    (problem,) = store.problems()
    assert "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in problem


def test_a_missing_bucket_is_named_with_the_fix(s3_server: S3Server) -> None:
    store = s3(s3_server, "never-made")

    with pytest.raises(StoreRefused, match=r"s3://never-made at .*: no such bucket"):
        store.put("cast/5.jpg", jpeg())
    (problem,) = store.problems()
    assert "Create it, or set MOVIE_IMAGES_BUCKET" in problem


def test_a_bucket_that_nobody_may_read_is_a_problem(s3_server: S3Server) -> None:
    (problem,) = s3(s3_server, s3_server.new_bucket(public=False)).problems()

    assert "answered 403 to an anonymous reader" in problem
    assert "s3:GetObject" in problem


def test_a_public_url_that_leads_elsewhere_is_a_problem(s3_server: S3Server, bucket: str) -> None:
    (problem,) = s3(s3_server, bucket, MOVIE_IMAGES_PUBLIC_URL=f"{s3_server.endpoint}/elsewhere").problems()

    assert "MOVIE_IMAGES_PUBLIC_URL" in problem


def test_a_server_that_is_down_is_named(bucket: str, s3_server: S3Server) -> None:
    store = s3(s3_server, bucket, AWS_ENDPOINT_URL_S3="http://127.0.0.1:9")

    with pytest.raises(StoreUnavailable, match=r"http://127\.0\.0\.1:9 does not answer"):
        store.put("cast/5.jpg", jpeg())


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, "https://movie-images.s3.us-east-1.amazonaws.com/cast/5.jpg"),
        ({"aws_region": "eu-north-1"}, "https://movie-images.s3.eu-north-1.amazonaws.com/cast/5.jpg"),
        (
            {"aws_endpoint_url_s3": "https://abc.storage.supabase.co/storage/v1/s3"},
            "https://abc.supabase.co/storage/v1/object/public/movie-images/cast/5.jpg",
        ),
        ({"aws_endpoint_url_s3": "http://minio:9000/"}, "http://minio:9000/movie-images/cast/5.jpg"),
        ({"movie_images_public_url": "https://cdn.example/i/"}, "https://cdn.example/i/cast/5.jpg"),
    ],
)
def test_where_each_provider_shows_files(variables: dict[str, str], url: str) -> None:
    assert opened(load_settings(movie_images_store="s3", **variables)).public_url("cast/5.jpg") == url


def keyless(server: S3Server, bucket: str, **changes: str) -> ImageStore:
    """A store that is told no keys: boto3 looks in its own places."""
    variables = server.variables(bucket, **changes)
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    return opened(load_settings(**{name.lower(): value for name, value in variables.items() if name not in keys}))


def profile(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A profile whose keys a program tells, as those of a role are told: for a while."""
    (folder / "keys.py").write_text(script)
    (folder / "config").write_text(f"[default]\ncredential_process = {sys.executable} {folder / 'keys.py'}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))


def test_keys_that_expire_are_renewed(
    s3_server: S3Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"""
import datetime, json
open({str(tmp_path / "asked")!r}, "a").write("x")
until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5)
keys = {{"AccessKeyId": {ACCESS_KEY!r}, "SecretAccessKey": {SECRET_KEY!r}}}
print(json.dumps({{"Version": 1, "Expiration": until.isoformat(), **keys}}))
"""
    profile(tmp_path, monkeypatch, script)
    store = keyless(s3_server, bucket)
    for seed in (1, 2):
        store.put("cast/5.jpg", jpeg(seed=seed))

    assert read(store.public_url("cast/5.jpg")).data == jpeg(seed=2)
    assert len((tmp_path / "asked").read_text()) >= 2


def test_keys_that_nobody_tells_are_named(
    s3_server: S3Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile(tmp_path, monkeypatch, "raise SystemExit('no such role')")
    with pytest.raises(StoreRefused, match=r"s3://images.*no such role"):
        keyless(s3_server, bucket).put("cast/5.jpg", jpeg())


def test_a_wrong_clock_is_named(s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tmdb_dagster.images.uploads.MOST_DOUBTS", 0)  # boto3's clock can be set, obstore's cannot
    yesterday = utc_now() - timedelta(days=1)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: yesterday)

    with pytest.raises(StoreRefused, match="the clock of this machine is wrong"):
        s3(s3_server, bucket).put("cast/5.jpg", jpeg())


def test_uploads_go_through_the_environments_proxy(
    s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = {"AWS_ENDPOINT_URL_S3": "http://s3.example"}
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with pytest.raises(StoreUnavailable, match="proxy"):
        s3(s3_server, bucket, **elsewhere).put("cast/5.jpg", jpeg())
    s3(s3_server, bucket).put("cast/6.jpg", jpeg())  # this machine is never asked by a proxy

    monkeypatch.setenv("HTTP_PROXY", s3_server.endpoint)  # it takes what a proxy is asked, too
    s3(s3_server, bucket, **elsewhere).put("cast/5.jpg", jpeg())
    assert read(s3(s3_server, bucket).public_url("cast/5.jpg")).data == jpeg()
