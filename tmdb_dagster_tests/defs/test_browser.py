"""The Dagster UI as an operator sees it: the real server on real runs, in a real browser."""

from __future__ import annotations

import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
from dagster import DagsterInstance
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.services.provide import start_image_server, stop_services
from tmdb_dagster.settings import REPOSITORY, Settings
from tmdb_dagster_tests.browser import chromium, keep, loaded, needs_browser
from tmdb_dagster_tests.defs.events import materializations
from tmdb_dagster_tests.defs.night import LOST, MOVIES, a_night_with_failures

SWITCHED_ON = 12
"""Schedules and sensors."""
VIEWPORT: ViewportSize = {"width": 1600, "height": 1000}
START_S = 90
SHOWN_MS = 30_000
LOOKS = 100
"""How often a list is looked at, from its beginning to its end and again, until it shows what is looked for."""

pytestmark = needs_browser


class Ui(NamedTuple):
    """The running UI, and what it has to show."""

    url: str
    movie: str
    title: str
    failed_ingest: str


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def ui(
    database_address: Callable[[str], str],
    worker_id: str,
    sandbox_server: SandboxServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ui]:
    """The UI after a night with failures."""
    home = tmp_path_factory.mktemp("ui")
    (home / "dagster.yaml").symlink_to(REPOSITORY / "dagster.yaml")
    sandbox_server.reset()
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.model_fields:
            patch.delenv(name.upper(), raising=False)
        patch.chdir(home)
        port = _free_port()
        url = f"http://127.0.0.1:{port}"
        images = start_image_server(home / "state", dagster_url=url)
        for name, value in {
            "DATABASE_URL": database_address(f"browser_{worker_id}"),
            "DAGSTER_DATABASE_URL": database_address(f"browser_dagster_{worker_id}"),
            "DAGSTER_HOME": str(home),
            "TMDB_DAGSTER_STATE": str(home / "state"),
            "TMDB_API_KEY": "test-key",
            "TMDB_API_URL": sandbox_server.api_url,
            "TMDB_IMAGE_URL": sandbox_server.image_url,
            "YOUTUBE_IMAGE_URL": sandbox_server.youtube_url,
            "TMDB_RATE_LIMIT": "40/s",
            "MOVIE_IMAGES_PUBLIC_URL": f"{images}/tmdb",
        }.items():
            patch.setenv(name, value)
        command = str(Path(sys.executable).parent / "tmdb-dagster")
        subprocess.run([command, "migrate"], check=True, stdout=subprocess.DEVNULL)
        with (home / "output").open("wb") as output:
            server = subprocess.Popen(
                [command, "ui", "--port", str(port)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            # The runs go on while the server starts.
            with DagsterInstance.from_config(str(home)) as instance:
                failed_ingest = a_night_with_failures(instance, sandbox_server.faults)
                made = materializations(instance, "movies")
                movie = next(one for one in made if one.metadata["status"].value == "unchanged")
            _wait_for(url, server, home / "output")
            yield Ui(url, str(movie.partition), str(movie.metadata["title"].value), failed_ingest)
        finally:
            _end(server)
            stop_services(home / "state")


def _end(server: subprocess.Popen[bytes]) -> None:
    os.killpg(server.pid, signal.SIGINT)
    try:
        server.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait_for(url: str, server: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if requests.get(f"{url}/server_info", timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.2)
    pytest.fail(f"The UI did not start: {output.read_text('utf8', 'replace')[-3000:]}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport=VIEWPORT, timezone_id="America/Los_Angeles")
    page.set_default_timeout(SHOWN_MS)
    expect.set_options(timeout=SHOWN_MS)
    yield page
    page.close()


def _shown(page: Page, *texts: str) -> None:
    for text in texts:
        expect(page.get_by_text(text).first).to_be_visible()


class Walk:
    """A person's way through the UI: from the page on which it opens, by clicks alone."""

    def __init__(self, ui: Ui, page: Page) -> None:
        self.page, self.clicks = page, 0
        page.goto(ui.url)

    def click(self, target: Locator) -> None:
        target.click()
        self.clicks += 1

    def open_catalogue(self) -> None:
        self.click(self.page.get_by_role("link", name="Catalog"))
        expect(self.page.locator("a[href='/assets/candidates']")).to_be_visible()

    def open_asset(self, name: str) -> None:
        """From the catalogue, which draws only what is in sight."""
        link = self.page.locator(f"a[href='/assets/{name}']")
        down = VIEWPORT["height"] / 2
        self.page.mouse.move(VIEWPORT["width"] / 2, down)
        for step in itertools.islice(itertools.cycle([down] * 6 + [-6 * down]), LOOKS):
            if link.count() > 0:
                break
            self.page.mouse.wheel(0, step)
            self.page.wait_for_timeout(SHOWN_MS / LOOKS)
        self.click(link)

    def entry(self, key: str) -> Locator:
        """A metadata entry of an asset's page."""
        return self.page.locator("tr").filter(has=self.page.get_by_text(key, exact=True))

    def figure(self, key: str) -> Locator:
        """Its value."""
        return self.entry(key).locator("td").last


@pytest.fixture
def walk(ui: Ui, page: Page) -> Iterator[Walk]:
    """Each of an operator's questions is answered within three clicks."""
    walk = Walk(ui, page)
    yield walk
    assert walk.clicks <= 3


def test_question_1_what_ran_and_did_it_succeed(ui: Ui, walk: Walk) -> None:
    page, failed = walk.page, ui.failed_ingest
    _shown(page, "weekly_ingest", "daily_refresh", "data_quality")

    walk.click(page.get_by_role("link", name="Runs"))

    rows = page.locator("[data-index]")
    expect(rows.filter(has_text="daily_refresh").filter(has_text="Success").first).to_be_visible()
    lossy = rows.filter(has_text=f"movies: {MOVIES // 2 - LOST} of {MOVIES // 2}, {LOST} failed")
    expect(lossy).to_contain_text("weekly_ingest")
    expect(rows.filter(has_text=failed[:8])).to_contain_text("Failure")
    keep(page, "runs")
    walk.click(page.get_by_text(failed[:8]))
    _shown(page, "No page of any list could be fetched: /movie/popular: TMDB answered 404")


def test_question_2_how_many_calls_and_how_near_is_the_limit(ui: Ui, walk: Walk) -> None:
    walk.open_catalogue()
    walk.open_asset("ops_report")

    expect(walk.figure("TMDB calls")).to_have_text(re.compile(r"^[1-9][0-9]+$"))
    expect(walk.figure("rate limit used at most (%)")).to_have_text(re.compile(r"^[0-9]+(\.[0-9])?$"))
    expect(walk.figure("refused by the rate limit (429)")).to_have_text("0")


def test_question_3_what_waits_in_the_queue(ui: Ui, walk: Walk) -> None:
    walk.open_catalogue()
    walk.open_asset("refresh_queue")

    expect(walk.figure("queue: queued")).to_have_text("1")
    expect(walk.figure("queue: due")).to_have_text("0")
    expect(walk.figure("queue: given up")).to_have_text("0")


def test_question_4_which_movies_failed_and_why(ui: Ui, walk: Walk) -> None:
    walk.open_catalogue()
    walk.open_asset("weekly_ingest")
    expect(walk.figure("failed")).to_have_text(str(LOST))

    movies = walk.entry("titles failed").locator("tbody tr")
    expect(movies).to_have_count(LOST)
    for movie in movies.all():
        expect(movie).to_have_text(re.compile(r"^\w.+/movie/[0-9]+: TMDB's answer is not the movie [0-9]+\."))


def test_question_5_is_the_data_right(ui: Ui, walk: Walk) -> None:
    walk.open_catalogue()
    # Of the assets, what the failed ingest came to: the three lists, and the candidates.
    expect(walk.page.get_by_text("Failed", exact=True)).to_have_count(4)

    walk.open_asset("works")
    walk.click(walk.page.get_by_role("tab", name="Checks"))

    checks = walk.page.locator("[class*=checkRow_]")
    expect(checks.filter(has_text="Succeeded")).to_have_count(13)
    expect(checks.filter(has_text=re.compile("Failed$"))).to_contain_text("last_ingest")
    walk.page.wait_for_load_state("networkidle")
    keep(walk.page, "checks")


def test_question_6_do_the_movies_have_their_images(ui: Ui, walk: Walk) -> None:
    walk.open_catalogue()
    walk.open_asset("ops_report")
    expect(walk.figure("image coverage (%)")).to_have_text(re.compile(r"^9[0-9]\.[0-9]$"))

    walk.click(walk.figure("Images").get_by_text("[Show Markdown]"))

    expect(walk.page.get_by_role("dialog")).to_contain_text(re.compile("[0-9]+ of [0-9]+ images are in our store"))


def test_a_title_leads_to_its_movie(ui: Ui, walk: Walk) -> None:
    walk.open_catalogue()
    walk.open_asset("movie_titles")
    walk.click(walk.page.get_by_role("link", name=ui.title))

    expect(walk.page).to_have_url(f"{ui.url}/assets/movies?view=partitions&partition={ui.movie}")
    _shown(walk.page, ui.title, "unchanged")
    walk.page.wait_for_load_state("networkidle")
    keep(walk.page, "partition", height=1300)
    assert loaded(walk.page.get_by_alt_text("poster").first)


def test_the_timeline_shows_every_run(ui: Ui, page: Page) -> None:
    page.goto(f"{ui.url}/overview")
    page.get_by_role("button", name="1hr").click()

    _shown(page, "weekly_ingest", "daily_refresh", "ops_report", "data_quality")
    page.wait_for_load_state("networkidle")
    keep(page, "timeline", height=500)


def test_the_asset_graph_shows_how_data_flows(ui: Ui, page: Page) -> None:
    groups = ",".join(f"global@global:{group}" for group in ("discovery", "catalogue", "refresh", "operations"))
    page.set_viewport_size({"width": 1600, "height": 1300})
    page.goto(f"{ui.url}/asset-groups?expanded={groups}")

    _shown(page, "candidates", "movies", "works")
    # What is out of sight is not drawn.
    for _ in range(3):
        page.get_by_role("button", name="zoom_out").click()
    _shown(page, "popular_snapshot", "work_cards_cache", "refresh_queue", "ops_report")
    page.wait_for_load_state("networkidle")
    keep(page, "graph")
    page.set_viewport_size(VIEWPORT)


def test_an_assets_figures_are_plots(ui: Ui, page: Page) -> None:
    page.goto(f"{ui.url}/assets/weekly_ingest")
    _shown(page, "titles ingested", "calls by endpoint", "Freshness policy")

    page.get_by_role("button", name="Plots").click()

    _shown(page, "movies a second", "latency p95 (ms)", "error rate (%)", "TMDB calls")
    plots = page.locator("canvas")
    expect(plots.first).to_be_visible()
    assert plots.count() >= 15
    keep(page, "plots", height=1500)


def test_what_the_last_daily_refresh_did_has_a_page(ui: Ui, page: Page) -> None:
    page.goto(f"{ui.url}/assets/daily_refresh")
    _shown(page, "stale works queued", "changed works queued", "pages of changes", "entries completed")


def test_the_report_is_a_summary_and_sections_that_open_at_their_beginning(ui: Ui, page: Page) -> None:
    page.set_viewport_size({"width": 1400, "height": 800})
    page.goto(f"{ui.url}/assets/ops_report")
    _shown(page, "Needs a person:", "Last daily refresh", "is not endorsed, certified, or otherwise approved by TMDB")
    _shown(page, "image coverage (%)", "JustWatch")
    keep(page, "report", height=1200)

    buttons, dialog, charts = page.get_by_text("[Show Markdown]"), page.get_by_role("dialog"), 0
    titles = []
    for number in range(buttons.count()):
        buttons.nth(number).click()
        heading = dialog.get_by_role("heading", level=2)
        expect(heading).to_be_in_viewport()
        titles.append(heading.inner_text())
        pictures = dialog.locator("img[src^='data:image/png']").all()
        assert all(loaded(picture) for picture in pictures)
        charts += len(pictures)
        if titles[-1] == "Runs":
            keep(page, "report_section")
        dialog.get_by_role("button", name="Close").last.click()
        expect(dialog).to_have_count(0)
    page.set_viewport_size(VIEWPORT)

    assert {"Runs", "Calls to TMDB", "Catalogue by age and status"} <= set(titles)
    assert charts == 8


def test_the_schedules_are_on(ui: Ui, page: Page) -> None:
    page.goto(f"{ui.url}/automation")

    _shown(page, "weekly_ingest_schedule", "daily_refresh_schedule", "refresh_worker", "only on Sunday")
    # The boxes that choose rows are not ticked; the switches are drawn over theirs.
    expect(page.locator("input[type=checkbox]:checked")).to_have_count(SWITCHED_ON)
    keep(page, "schedules")
