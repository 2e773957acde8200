from __future__ import annotations

import os
from datetime import date
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tmdb_dagster.rate_limit import RateLimit
from tmdb_dagster.settings import REPOSITORY, Settings, SettingsError, environment, load_settings

SECRET = "geheim-7f3a"
DATABASE = "postgresql+psycopg2://me:word@host:5432/movies"
ODD_DATABASE = "postgresql+psycopg2://me:a%23b%2Fc%3Fd%5De%3Af%25g@[::1]:5432/movies"

READ: list[tuple[str, str, Any]] = [
    ("SANDBOX_DAY", "2026-11-02", date(2026, 11, 2)),
    ("TMDB_API_KEY", SECRET, SECRET),
    ("TMDB_READ_ACCESS_TOKEN", SECRET, SECRET),
    ("TMDB_IMAGE_URL", "http://localhost:1/t/p/", "http://localhost:1/t/p"),
    ("YOUTUBE_IMAGE_URL", "https://example.org/vi", "https://example.org/vi"),
    ("TMDB_RATE_LIMIT", "40/10s", RateLimit(40, 10)),
    ("TMDB_RATE_LIMIT", " 5 / 0.5 s ", RateLimit(5, 0.5)),
    ("TMDB_RATE_LIMIT", "50/s", RateLimit(50, 1)),
    ("TMDB_RATE_LIMIT", "Unlimited", None),
    ("TMDB_LANGUAGE", "de-DE", "de-DE"),
    ("TMDB_LANGUAGE", "pt-br", "pt-BR"),
    ("TMDB_LANGUAGE", "cn", "cn"),
    ("TMDB_LANGUAGE_FALLBACK", "pt-br", "pt-BR"),
    ("TMDB_CERTIFICATION_COUNTRY", "de", "DE"),
    ("TMDB_REGION", "DE", "DE"),
    ("TMDB_REGION", "xk", "XK"),
    ("TMDB_RATE_LIMIT", "100000/86400s", RateLimit(100_000, 86_400)),
    ("TMDB_WATCH_REGIONS", "us, de", ("US", "DE")),
    ("TMDB_CONCURRENCY", "20", 20),
    ("INGEST_INCLUDE_ADULT", "yes", True),
    ("INGEST_MIN_VOTES", "100", 100),
    ("INGEST_LANGUAGES", "EN, ja", ("en", "ja")),
    ("DATABASE_URL", "postgres://me:word@host:5432/movies", DATABASE),
    ("DATABASE_URL", "postgresql://me:word@host:5432/movies", DATABASE),
    ("DATABASE_URL", DATABASE, DATABASE),
    ("DATABASE_URL", "postgresql://me:a#b/c?d]e:f%g@[::1]:5432/movies", ODD_DATABASE),
    ("DATABASE_URL", ODD_DATABASE, ODD_DATABASE),
    (
        "DATABASE_URL",
        "postgresql:///movies?host=/run/pg&sslmode=require",
        "postgresql+psycopg2:///movies?host=/run/pg&sslmode=require",
    ),
    ("DATABASE_SCHEMA", "movies_2", "movies_2"),
    ("DAGSTER_DATABASE_URL", "postgres://me:word@host:5432/movies", DATABASE),
    ("MOVIE_IMAGES_STORE", "s3", "s3"),
    ("MOVIE_IMAGES_BUCKET", "posters", "posters"),
    ("MOVIE_IMAGES_PUBLIC_URL", "https://images.example", "https://images.example"),
    ("MOVIE_IMAGES_FOLDER", "/var/lib/images", Path("/var/lib/images")),
    ("MOVIE_IMAGES_CONCURRENCY", "4", 4),
    ("IMAGE_ALLOWED_NETWORKS", "198.18.0.0/15, fd00::/8", (ip_network("198.18.0.0/15"), ip_network("fd00::/8"))),
    ("COMPUTE_LOGS_BUCKET", "logs", "logs"),
    ("AWS_ENDPOINT_URL_S3", "https://s3.example", "https://s3.example"),
    ("AWS_REGION", "auto", "auto"),
    ("AWS_DEFAULT_REGION", "auto", "auto"),
    ("AWS_ACCESS_KEY_ID", SECRET, SECRET),
    ("AWS_SECRET_ACCESS_KEY", SECRET, SECRET),
    ("AWS_SESSION_TOKEN", SECRET, SECRET),
    ("CELERY_BROKER_URL", f"redis://:{SECRET}@host/0", f"redis://:{SECRET}@host/0"),
    ("CELERY_RESULT_BACKEND", f"redis://:{SECRET}@host/1", f"redis://:{SECRET}@host/1"),
    ("ALERT_WEBHOOK_URL", f"https://hooks.example/{SECRET}", f"https://hooks.example/{SECRET}"),
    ("RETENTION_LOG_DAYS", "30", 30),
    ("RETENTION_HISTORY_DAYS", "730", 730),
    ("RETENTION_RUN_DAYS", "30", 30),
    ("LOG_FORMAT", "json", "json"),
    ("DAGSTER_HOME", "/var/lib/dagster", Path("/var/lib/dagster")),
    ("TMDB_DAGSTER_ENV", "production", "production"),
    ("TMDB_DAGSTER_SECRETS", "/var/lib/secrets", Path("/var/lib/secrets")),
    ("TMDB_DAGSTER_STATE", "/var/lib/movies", Path("/var/lib/movies")),
]

REFUSED = [
    ("TMDB_RATE_LIMIT", f"{SECRET}", "40/10s"),
    ("TMDB_RATE_LIMIT", "0/10s", "40/10s"),
    ("TMDB_RATE_LIMIT", "40/0s", "40/10s"),
    ("TMDB_RATE_LIMIT", "40", "40/10s"),
    ("TMDB_RATE_LIMIT", "100001/10s", "at most 100000 calls"),
    ("TMDB_RATE_LIMIT", "40/86401s", "at most 86400 seconds"),
    ("TMDB_LANGUAGE", "en_US", "`en-US`"),
    ("TMDB_LANGUAGE", "english", "`en-US`"),
    ("TMDB_LANGUAGE", "en-UK", "`en-US`"),
    ("TMDB_LANGUAGE", "xx-US", "`en-US`"),
    ("TMDB_LANGUAGE_FALLBACK", "zh-Hant-TW", "`en-US`"),
    ("TMDB_CERTIFICATION_COUNTRY", "UK", "write GB"),
    ("TMDB_REGION", "usa", "write US"),
    ("TMDB_REGION", SECRET, "ISO 3166-1"),
    ("TMDB_WATCH_REGIONS", "USA", "write US"),
    ("INGEST_LANGUAGES", "en-US", "languages alone"),
    ("INGEST_LANGUAGES", "english", "ISO 639-1"),
    ("INGEST_LANGUAGES", " , ", "en,ja"),
    ("TMDB_WATCH_REGIONS", "US,UK", "UK is not: write GB"),
    ("TMDB_WATCH_REGIONS", " , ", "US,DE"),
    ("IMAGE_ALLOWED_NETWORKS", "the tunnel", "198.18.0.0/15"),
    ("TMDB_CONCURRENCY", "0", "greater than or equal to 1"),
    ("TMDB_CONCURRENCY", "21", "less than or equal to 20"),
    ("TMDB_CONCURRENCY", SECRET, "valid integer"),
    ("TMDB_API_URL", f"ftp://{SECRET}", "http:// or https://"),
    ("TMDB_API_URL", "https://api.themoviedb.org", "https://api.themoviedb.org/3"),
    ("TMDB_API_URL", "https://api.themoviedb.org/4", "https://api.themoviedb.org/3"),
    ("TMDB_API_URL", "http://host:99999/3", "http:// or https://"),
    ("TMDB_API_URL", "http:///3", "http:// or https://"),
    ("TMDB_API_URL", "https://https://host/3", "http:// or https://"),
    ("AWS_ENDPOINT_URL_S3", "https://<project>.example", "http:// or https://"),
    ("ALERT_WEBHOOK_URL", f"https://hooks.exa mple/{SECRET}", "http:// or https://"),
    ("MOVIE_IMAGES_BUCKET", "s3://posters", "the name of a bucket alone"),
    ("MOVIE_IMAGES_BUCKET", "posters/movies", "the name of a bucket alone"),
    ("MOVIE_IMAGES_BUCKET", "my posters", "the name of a bucket alone"),
    ("DATABASE_SCHEMA", "a" * 64, "63 characters"),
    ("TMDB_IMAGE_URL", f"https://{SECRET}/p?key=1", "without a query"),
    ("YOUTUBE_IMAGE_URL", SECRET, "http:// or https://"),
    ("MOVIE_IMAGES_STORE", SECRET, "'local', 's3' or 'none'"),
    ("RETENTION_LOG_DAYS", "0", "greater than or equal to 1"),
    ("LOG_FORMAT", SECRET, "'text' or 'json'"),
    ("MOVIE_IMAGES_CONCURRENCY", "21", "less than or equal to 20"),
    ("AWS_ENDPOINT_URL_S3", SECRET, "http:// or https://"),
    ("DATABASE_URL", f"mysql://me:{SECRET}@host/movies", "postgresql://"),
    ("DATABASE_URL", SECRET, "postgresql://"),
    ("DATABASE_URL", f"postgresql://me:a@{SECRET}@host/movies", "%40"),
    ("DATABASE_URL", f"postgresql://me:[{SECRET}]@host/movies", "%5B"),
    ("DATABASE_URL", f"postgresql://me:<{SECRET}>@host/movies", "placeholder"),
    ("DATABASE_URL", f"postgresql://me:{SECRET}@host:port/movies", "its port a number"),
    ("DATABASE_URL", f"postgresql://me:{SECRET}@host:70000/movies", "its port a number"),
    ("DATABASE_URL", f"postgresql://me:{SECRET}@host:6543/movies?pgbouncer=true", "`pgbouncer`"),
    ("DATABASE_URL", f"postgresql://me:{SECRET}@host/movies?connection_limit=1&pool_timeout=20", "TMDB_CONCURRENCY"),
    ("DATABASE_URL", f"postgresql://me:{SECRET}@host/movies?schema=movies", "set DATABASE_SCHEMA instead"),
    ("DAGSTER_DATABASE_URL", f"postgresql://me:{SECRET}@host/movies?pgbouncer=true", "`pgbouncer`"),
    ("DATABASE_SCHEMA", f'x"; {SECRET}', "pattern"),
    ("DAGSTER_DATABASE_URL", f"sqlite:///{SECRET}", "postgresql://"),
]


def _value(settings: Settings, name: str) -> Any:
    value = getattr(settings, name.lower())
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


def test_without_any_variable_there_are_defaults(tmp_path: Path) -> None:
    settings = load_settings()

    assert settings.tmdb_api_url == "https://api.themoviedb.org/3"
    assert settings.tmdb_rate_limit == RateLimit(40, 10)
    assert settings.tmdb_watch_regions == ("US",)
    assert settings.tmdb_concurrency == 20
    assert settings.tmdb_dagster_state == tmp_path / ".tmdb_dagster"
    assert settings.database_url is None
    assert not settings.has_key


@pytest.mark.parametrize(("limit", "calls"), [("5/1s", 5), ("20/1s", 20), ("40/10s", 20), ("unlimited", 20)])
def test_as_many_calls_are_in_flight_as_the_limit_allows(limit: str, calls: int) -> None:
    assert load_settings(tmdb_rate_limit=limit).tmdb_concurrency == calls
    assert load_settings(tmdb_rate_limit=limit, tmdb_concurrency=3).tmdb_concurrency == 3


def test_a_wrong_limit_is_said_once() -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings(tmdb_rate_limit="much")

    assert "TMDB_RATE_LIMIT" in str(raised.value)
    assert "TMDB_CONCURRENCY" not in str(raised.value)


@pytest.mark.parametrize(("name", "value", "read"), READ)
def test_a_variable_is_read(name: str, value: str, read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIE_IMAGES_PUBLIC_URL", "https://images.example")  # a folder of one's own needs it
    monkeypatch.setenv(name, value)

    assert _value(load_settings(), name) == read


def test_every_variable_is_tried_here() -> None:
    assert {name for name, _, _ in READ} | {"TMDB_API_URL"} == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize(("name", "value", "advice"), REFUSED)
def test_a_wrong_value_is_refused_by_name_and_not_shown(
    name: str, value: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as refusal:
        load_settings()

    message = str(refusal.value)
    assert message.startswith(f"Settings: {name}: ")
    assert advice in message
    assert SECRET not in message
    assert refusal.value.__cause__ is None, "pydantic's own error quotes the value"


def test_a_bucket_of_aws_is_named_as_aws_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIE_IMAGES_STORE", "s3")
    monkeypatch.setenv("MOVIE_IMAGES_BUCKET", "Movie_Images")
    with pytest.raises(SettingsError, match="MOVIE_IMAGES_BUCKET: a bucket of AWS has"):
        load_settings()

    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.example")
    assert load_settings().movie_images_bucket == "Movie_Images"


def test_what_runs_print_goes_to_no_bucket_that_anybody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MOVIE_IMAGES_BUCKET", "COMPUTE_LOGS_BUCKET"):
        monkeypatch.setenv(name, "movies")
    load_settings(movie_images_store="none")
    monkeypatch.setenv("MOVIE_IMAGES_STORE", "s3")

    with pytest.raises(SettingsError, match="COMPUTE_LOGS_BUCKET is the bucket of the images, which anybody reads"):
        load_settings()


def test_all_wrong_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMDB_CONCURRENCY", "many")
    monkeypatch.setenv("DATABASE_URL", "here")

    with pytest.raises(SettingsError, match=r"TMDB_CONCURRENCY: .*; DATABASE_URL: "):
        load_settings()


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), "")

    assert load_settings() == Settings(_env_file=None)


def test_an_api_url_without_a_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMDB_API_URL", "http://localhost:1/3")
    with pytest.raises(SettingsError, match="TMDB_API_URL is set, but neither TMDB_READ_ACCESS_TOKEN nor TMDB_API_KEY"):
        load_settings()

    monkeypatch.setenv("TMDB_API_KEY", SECRET)
    assert load_settings().tmdb_api_url == "http://localhost:1/3"


def test_a_folder_of_images_needs_the_address_that_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIE_IMAGES_FOLDER", "/var/lib/images")
    with pytest.raises(SettingsError, match="MOVIE_IMAGES_FOLDER is set: set MOVIE_IMAGES_PUBLIC_URL, too"):
        load_settings()

    monkeypatch.setenv("MOVIE_IMAGES_PUBLIC_URL", "http://localhost:1/images")
    assert load_settings().movie_images_folder == Path("/var/lib/images")


def test_a_dotenv_file_is_read_and_the_environment_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(f"TMDB_API_KEY={SECRET}\nTMDB_LANGUAGE=fr-FR\nSOMETHING_ELSE=1\n", "utf8")
    monkeypatch.setenv("TMDB_LANGUAGE", "de-DE")

    settings = load_settings()

    assert _value(settings, "TMDB_API_KEY") == SECRET
    assert settings.tmdb_language == "de-DE"


def test_files_hold_secrets_and_the_environment_and_the_dotenv_file_go_before_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "tmdb_api_key").write_text(f"{SECRET}\n", "utf8")
    (folder / "DATABASE_URL").write_text("postgres://me:word@host:5432/movies\n", "utf8")
    (folder / "tmdb_language").write_text("de-DE", "utf8")
    (folder / "tmdb_region").write_text("DE", "utf8")
    (folder / "alert_webhook_url").write_text("\n", "utf8")
    (tmp_path / ".env").write_text(f"TMDB_DAGSTER_SECRETS={folder}\nTMDB_LANGUAGE=fr-FR\n", "utf8")
    monkeypatch.setenv("TMDB_REGION", "FR")

    settings = load_settings()

    assert _value(settings, "TMDB_API_KEY") == SECRET
    assert _value(settings, "DATABASE_URL") == DATABASE
    assert (settings.tmdb_language, settings.tmdb_region) == ("fr-FR", "FR")
    assert settings.alert_webhook_url is None, "an empty file is an unset variable"
    assert SECRET not in settings.redact(f"the key {SECRET}")


def test_a_secret_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmdb_api_key").write_bytes(b"\xff")
    monkeypatch.setenv("TMDB_DAGSTER_SECRETS", str(tmp_path))

    with pytest.raises(SettingsError, match=f"TMDB_API_KEY: its file in {tmp_path} cannot be read: it is not UTF-8"):
        load_settings()


def test_settings_do_not_show_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TMDB_API_KEY", "TMDB_READ_ACCESS_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("ALERT_WEBHOOK_URL", f"https://hooks.example/{SECRET}")
    for name in ("DATABASE_URL", "DAGSTER_DATABASE_URL"):
        monkeypatch.setenv(name, f"postgres://me:{SECRET}@host/movies")

    assert SECRET not in repr(load_settings())
    assert SECRET not in str(load_settings().model_dump())


def test_the_page_of_settings_lists_every_variable() -> None:
    page = (REPOSITORY / "docs/settings.md").read_text("utf8")
    rows = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}

    assert {name.upper() for name in Settings.model_fields} - rows == set()


def test_an_environment_for_a_while_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMDB_LANGUAGE", "before")

    with environment(TMDB_LANGUAGE="during", TMDB_REGION="DE"):
        assert (os.environ["TMDB_LANGUAGE"], os.environ["TMDB_REGION"]) == ("during", "DE")

    assert os.environ["TMDB_LANGUAGE"] == "before"
    assert "TMDB_REGION" not in os.environ
