"""The pages of the catalogue, over HTTP and in a real browser, on a real Postgres with the sandbox's movies."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests
from playwright.sync_api import expect
from sqlalchemy import Engine

from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster.web.app import catalogue_app
from tmdb_dagster_tests.browser import chromium, keep, loaded, needs_browser
from tmdb_dagster_tests.pipeline.enriching import enriched, some_movies
from tmdb_dagster_tests.serving import serving
from tmdb_dagster_tests.warehouse.database import add_work, execute, value

MOVIES = 24
DAGSTER = "http://127.0.0.1:3000"


def _redact(text: str) -> str:
    return text.replace("secret", "***")


@pytest.fixture
def catalogue(engine: Engine) -> Iterator[str]:
    """The address of the pages of the test's database."""
    with serving(catalogue_app(lambda: engine, _redact, dagster_url=DAGSTER)) as url:
        yield url


@pytest.fixture
def movies(start_run: Callable[..., Run], sandbox: SandboxServer) -> list[int]:
    """Movies that are in the catalogue; their images are the sandbox's own."""
    found = some_movies(sandbox, MOVIES)
    enriched(start_run(movie_images_store="none"), found)
    return found


def _get(url: str, **parameters: str) -> str:
    answer = requests.get(url, params=parameters, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_movies_are_found_by_title_genre_and_status(catalogue: str, movies: list[int], engine: Engine) -> None:
    title = value(engine, "SELECT title FROM works ORDER BY work_id LIMIT 1")
    genre, with_genre = (
        value(
            engine,
            f"""SELECT {asked} FROM (
                SELECT g, count(*) AS n FROM work_cards_cache, jsonb_array_elements_text(payload -> 'genres') g
                GROUP BY g ORDER BY n, g LIMIT 1
            ) rarest""",
        )
        for asked in ("g", "n")
    )
    add_work(engine, 5, title="100% wrong", ingestion_status="failed")

    assert _get(catalogue).count("<strong>") == MOVIES + 1
    assert f"<strong>{title}</strong>" in _get(catalogue, search=title.upper())
    assert _get(catalogue, genre=genre).count("<strong>") == with_genre
    assert _get(catalogue, status="failed").count("<strong>") == 1
    assert _get(catalogue, search="0%").count("<strong>") == 1, "a sign of LIKE is a sign"
    assert "No movie is like that." in _get(catalogue, search="no such title")
    assert _get(catalogue, page="0", status="'; DROP TABLE works").count("<strong>") == MOVIES + 1


def test_a_movies_page_has_its_card_and_its_history(catalogue: str, movies: list[int], engine: Engine) -> None:
    page = _get(f"{catalogue}/movie/{movies[0]}")

    card = value(
        engine, "SELECT payload FROM work_cards_cache JOIN works USING (work_id) WHERE tmdb_id = :id", id=str(movies[0])
    )
    assert card["overview"] in page
    assert all(person["name"] in page for person in card["cast"])
    assert f"{DAGSTER}/assets/movies?view=partitions&amp;partition={movies[0]}" in page
    assert f"{DAGSTER}/runs/" in page, "its call names the run"
    assert requests.get(f"{catalogue}/movie/1", timeout=30).status_code == 404
    assert "is not endorsed, certified, or otherwise approved by TMDB" in page


def test_what_a_card_says_is_shown_and_never_obeyed(catalogue: str, engine: Engine) -> None:
    work = add_work(engine, 7, title="<script>alert(1)</script>", ingestion_status="complete")
    execute(
        engine,
        """INSERT INTO work_cards_cache (work_id, payload) VALUES (:work, '{
            "poster": {"medium": "javascript:alert(1)", "large": "javascript:alert(1)"},
            "cast": [{"name": "\\"><img src=x onerror=alert(1)>", "character": null, "photo_url_medium": "data:x"}],
            "genres": ["<b>"], "streaming": {"us": {"link": "javascript:alert(1)"}, "updated_at": "x"}
        }')""",
        work=work,
    )
    for page in (_get(catalogue), _get(f"{catalogue}/movie/7")):
        assert "<script>alert" not in page
        assert "javascript:" not in page
        assert "<img src=x" not in page
        assert "data:x" not in page
    answer = requests.get(catalogue, timeout=30)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert requests.get(catalogue, headers={"Host": "elsewhere.example"}, timeout=30).status_code == 400


def test_what_is_wrong_with_the_database_is_one_sentence_without_secrets() -> None:
    broken = connect("postgresql+psycopg2://movies:secret@127.0.0.1:1/secret")
    with serving(catalogue_app(lambda: broken, _redact, dagster_url=DAGSTER)) as url:
        answer = requests.get(url, timeout=30)

    assert answer.status_code == 503
    assert answer.text.startswith("<p>The catalogue cannot be read: The database at ")
    assert "secret" not in answer.text


@needs_browser
def test_a_person_sees_posters_and_searches(catalogue: str, movies: list[int], engine: Engine) -> None:
    title = value(engine, "SELECT title FROM works WHERE tmdb_id = :id", id=str(movies[0]))
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(catalogue)
        expect(page.locator(".grid > li")).to_have_count(MOVIES)
        assert loaded(page.locator(".grid img").first)
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_load_state("networkidle")
        keep(page, "catalogue")

        page.get_by_label("Title").press_sequentially(title)
        expect(page.locator(".grid > li")).to_have_count(1)
        page.get_by_text(title).click()
        expect(page.get_by_role("heading", name=title)).to_be_visible()

        phone = browser.new_page(viewport={"width": 360, "height": 740}, java_script_enabled=False)
        for path in ("/", f"/movie/{movies[0]}"):
            phone.goto(f"{catalogue}{path}")
            assert loaded(phone.locator("main img").first)
            assert phone.evaluate("document.documentElement.scrollWidth") <= 360, "nothing sticks out"
        phone.goto(catalogue)
        phone.get_by_label("Title").fill(title)
        phone.get_by_role("button", name="Show").click()
        expect(phone.locator(".grid > li")).to_have_count(1)
