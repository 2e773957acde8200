"""The Dagster UI as an operator sees it: the real server on real runs, in a real browser."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
from dagster import DagsterInstance, Definitions
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.services.provide import start_image_server, stop_services
from tmdb_dagster.settings import REPOSITORY, Settings
from tmdb_dagster_tests.browser import chromium, keep, loaded, needs_browser
from tmdb_dagster_tests.defs.conftest import execute_job
from tmdb_dagster_tests.defs.events import materializations

MOVIES = 12
SWITCHED_ON = 12
"""Schedules and sensors."""
VIEWPORT: ViewportSize = {"width": 1600, "height": 1000}
START_S = 90
SHOWN_MS = 30_000

pytestmark = needs_browser


class Ui(NamedTuple):
    """The running UI, and what it has to show."""

    url: str
    movie: str
    title: str
    failed_run: str


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def ui(
    database_address: Callable[[str], str],
    worker_id: str,
    code_location: Definitions,
    sandbox_server: SandboxServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ui]:
    """The UI on two ingests, a report, all checks and a failed run."""
    home = tmp_path_factory.mktemp("ui")
    (home / "dagster.yaml").symlink_to(REPOSITORY / "dagster.yaml")
    sandbox_server.reset()
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.model_fields:
            patch.delenv(name.upper(), raising=False)
        patch.chdir(home)
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
            "MOVIE_IMAGES_PUBLIC_URL": f"{start_image_server(home / 'state')}/tmdb",
        }.items():
            patch.setenv(name, value)
        command = str(Path(sys.executable).parent / "tmdb-dagster")
        subprocess.run([command, "migrate"], check=True, stdout=subprocess.DEVNULL)
        port = _free_port()
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
                failed_run = _operate(code_location, instance)
                movie = materializations(instance, "movies")[-1]
            url = f"http://127.0.0.1:{port}"
            _wait_for(url, server, home / "output")
            yield Ui(url, str(movie.partition), str(movie.metadata["title"].value), failed_run)
        finally:
            _end(server)
            stop_services(home / "state")


def _operate(code_location: Definitions, instance: DagsterInstance) -> str:
    """Run every job that the pages show; returns the id of the run that fails."""
    run = partial(execute_job, code_location, instance)
    assert run("weekly_ingest", max_movies=MOVIES // 2, pages_per_source=1).success
    assert run("daily_refresh").success
    assert run("weekly_ingest", max_movies=MOVIES // 2, pages_per_source=2).success
    failed = run("ingest_movie", tmdb_id=2_000_000_000)
    assert not failed.success
    assert run("ops_report").success
    assert run("data_quality").success
    return failed.run_id


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
    page.get_by_text("latency p95 (ms)").first.scroll_into_view_if_needed()
    keep(page, "plots")


def test_the_queue_and_what_the_last_refresh_did_are_told_apart(ui: Ui, page: Page) -> None:
    page.goto(f"{ui.url}/assets/daily_refresh")
    _shown(page, "stale works queued", "changed works queued", "pages of changes", "entries completed")

    page.goto(f"{ui.url}/assets/refresh_queue")
    _shown(page, "queue: due", "queue: given up")


def test_a_movie_shows_its_poster(ui: Ui, page: Page) -> None:
    page.goto(f"{ui.url}/assets/movies?view=partitions&partition={ui.movie}")

    _shown(page, ui.title, "ingested")
    assert loaded(page.get_by_alt_text("poster").first)
    page.get_by_text(ui.title).first.scroll_into_view_if_needed()
    keep(page, "partition")


def test_the_report_is_a_summary_and_sections_that_open_at_their_beginning(ui: Ui, page: Page) -> None:
    page.set_viewport_size({"width": 1400, "height": 800})
    page.goto(f"{ui.url}/assets/ops_report")
    _shown(page, "Needs a person:", "Last daily refresh", "is not endorsed, certified, or otherwise approved by TMDB")
    _shown(page, "image coverage (%)", "JustWatch")

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
            keep(page, "report")
        dialog.get_by_role("button", name="Close").last.click()
        expect(dialog).to_have_count(0)
    page.set_viewport_size(VIEWPORT)

    assert {"Runs", "Calls to TMDB", "Catalogue by age and status"} <= set(titles)
    assert charts == 7


def test_a_failed_run_says_why(ui: Ui, page: Page) -> None:
    page.goto(f"{ui.url}/runs")
    _shown(page, "weekly_ingest", "ops_report", "data_quality", "Failure")
    keep(page, "runs")

    page.get_by_text(ui.failed_run[:8]).first.click()

    _shown(page, "Movie 2000000000 could not be ingested: /movie/2000000000: TMDB answered 404")


def test_checks_show_what_holds(ui: Ui, page: Page) -> None:
    page.goto(f"{ui.url}/assets/works?view=checks")

    _shown(page, "complete_works_have_rows", "few_failed_works", "unique_tmdb_ids", "Passed")
    page.wait_for_load_state("networkidle")
    keep(page, "checks")


def test_the_schedules_are_on(ui: Ui, page: Page) -> None:
    page.goto(f"{ui.url}/automation")

    _shown(page, "weekly_ingest_schedule", "daily_refresh_schedule", "refresh_worker", "only on Sunday")
    # The boxes that choose rows are not ticked; the switches are drawn over theirs.
    expect(page.locator("input[type=checkbox]:checked")).to_have_count(SWITCHED_ON)
    keep(page, "schedules")
