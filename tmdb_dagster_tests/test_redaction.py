"""Secrets, in whatever form programs write them."""

from __future__ import annotations

import base64
import json
from html import escape
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmdb_dagster.redaction import redact, secrets_of_address
from tmdb_dagster.settings import load_settings

ODD = """p@ss#w/o?r[d:'"& 100%é"""
FORMS = {
    "as it is": ODD,
    "in a URL": quote(ODD, safe=""),
    "in a URL, small letters": quote(ODD, safe="").lower(),
    "in a path": quote(ODD),
    "in a form": quote_plus(ODD),
    "in JSON": json.dumps(ODD)[1:-1],
    "in JSON with letters": json.dumps(ODD, ensure_ascii=False)[1:-1],
    "in Python": repr(ODD)[1:-1],
    "in HTML": escape(ODD),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_taken_out_in_every_form(form: str) -> None:
    assert redact(f"before {FORMS[form]} after", [ODD]) == "before [redacted] after"


@given(st.text(min_size=6), st.sampled_from([str, quote, quote_plus, repr, escape, json.dumps]))
def test_no_text_keeps_a_secret(secret: str, write: object) -> None:
    if "\ud800" <= max(secret) <= "\udfff" or any("\ud800" <= one <= "\udfff" for one in secret):
        return
    written = write(secret)  # type: ignore[operator]
    assert secret not in redact(f"<{written}>", [secret]).replace("[redacted]", "")


def test_what_begins_like_another_secret_leaves_nothing_of_it() -> None:
    assert redact("a=secret-1 b=secret-12345", ["secret-1", "secret-12345"]) == "a=[redacted] b=[redacted]"


def test_a_secret_too_short_to_be_one_stays() -> None:
    assert redact("the movie is in movies", ["movie", ""]) == "the movie is in movies"


@pytest.mark.parametrize(
    ("address", "hidden"),
    [
        ("postgresql://me:s3cret-word@host/db", ["s3cret-word"]),
        ("postgresql://me:long%40password@host/db", ["long@password", "long%40password"]),
        ("postgresql://me@host/db?password=s3cret-word&sslmode=require", ["s3cret-word"]),
        ("http://me:s3cret@unencoded/word#1@proxy:3128", ["s3cret@unencoded/word#1", "unencoded"]),
        ("http://me:s3cret-word@proxy:3128", [base64.b64encode(b"me:s3cret-word").decode()]),
    ],
)
def test_the_password_of_an_address_is_a_secret(address: str, hidden: list[str]) -> None:
    secrets = secrets_of_address(address)

    for secret in [*hidden, address]:
        assert redact(f"before {secret} after", secrets) == "before [redacted] after"
    assert redact("me host db", secrets) == "me host db"


def test_a_password_that_is_a_name_in_the_address_hides_nothing() -> None:
    assert secrets_of_address("postgresql://postgres:postgres@host/movies") == set()
    assert secrets_of_address("postgresql://owner:movies@host/movies") == set()


def test_the_path_of_a_webhook_is_a_secret() -> None:
    secrets = secrets_of_address("https://hooks.example/services/T0123456/abc?mail=a@b&token=s3cret-word", path=True)

    for secret in ("/services/T0123456/abc", "T0123456", "s3cret-word"):
        assert "[redacted]" in redact(f"before {secret} after", secrets)
    assert redact("https://hooks.example has services", secrets) == "https://hooks.example has services"


def test_all_secrets_of_the_settings_and_the_environment_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {
        "TMDB_API_KEY": "{}",
        "TMDB_READ_ACCESS_TOKEN": "{}",
        "AWS_ACCESS_KEY_ID": "{}",
        "AWS_SECRET_ACCESS_KEY": "{}",
        "AWS_SESSION_TOKEN": "{}",
        "DATABASE_URL": "postgresql://me:{}]#/@host/movies",
        "DAGSTER_DATABASE_URL": "postgresql://me@host/movies?password={}",
        "ALERT_WEBHOOK_URL": "https://hooks.example/services/{}",
        "AWS_ENDPOINT_URL_S3": "https://me:{}@s3.example",
        "HTTPS_PROXY": "http://me:{}@proxy:3128",
        "all_proxy": "socks5://me:{}@proxy:3128",
        "PGPASSWORD": "{}",
    }
    for number, (name, value) in enumerate(variables.items()):
        monkeypatch.setenv(name, value.format(f"n{number}-distinct-s3cret"))

    text = load_settings().redact(" ".join(f"n{number}-distinct-s3cret" for number in range(len(variables))))

    assert text == " ".join(["[redacted]"] * len(variables))
