"""A real browser, and the pictures of what it shows (SCREENSHOTS names their folder: `make screenshots`)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from tmdb_dagster.settings import REPOSITORY

_CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None
)
_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]

_REDRAWN_MS = 500

needs_browser = pytest.mark.skipif(
    _CHROMIUM is None, reason="no browser: apt-get install chromium, or name one in CHROMIUM"
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser, until the block ends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_OPTIONS)
        yield browser
        browser.close()


def keep(page: Page, name: str, *, height: int | None = None) -> None:
    """Keep a picture of the page, as a person sees it in a window of so many pixels, where pictures are asked for.

    Nothing may have scrolled it before: a picture shows a page's beginning.
    """
    if folder := os.environ.get("SCREENSHOTS"):
        size = page.viewport_size
        if size and height:
            page.set_viewport_size({**size, "height": height})
            page.wait_for_timeout(_REDRAWN_MS)
        page.screenshot(path=REPOSITORY / folder / f"{name}.png")
        if size and height:
            page.set_viewport_size(size)


def loaded(picture: Locator) -> bool:
    """Whether the browser has the picture's pixels."""
    picture.scroll_into_view_if_needed()
    return bool(picture.evaluate("async image => { await image.decode(); return image.naturalWidth > 0 }"))
