"""Rehosts images: claims what is to be fetched, moves it by a pool of threads that all movies of a run share,
and notes the result in the inventory.

A movie's thread hands its images to the pool and waits, so the images of several movies are always under way
together. An image that cannot be rehosted is a result, not an error: the movie keeps TMDB's URL, or the one below our
public address that another system gave it.
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import Connection, Engine

from tmdb_dagster.images.addresses import Network
from tmdb_dagster.images.download import LONGEST_WAIT_S, Downloader
from tmdb_dagster.images.errors import ImageError, ImageUnavailable, StoreError
from tmdb_dagster.images.stores import ImageStore
from tmdb_dagster.pipeline.ending import Ending
from tmdb_dagster.pipeline.errors import RunEnding
from tmdb_dagster.transform.image_plan import WantedImage, source_urls
from tmdb_dagster.transform.images import ImageUrls
from tmdb_dagster.warehouse.images import (
    ImageResult,
    ImageStates,
    adopted_urls,
    claim_images,
    image_states,
    settle_images,
)
from tmdb_dagster.warehouse.transaction import run_transaction

OUTAGE = 20
"""After so many failures in a row of the hosts or the store, nothing is tried for PAUSE_S."""

PAUSE_S = 30.0
BUSY_WAIT_S = 60.0
"""How long a movie waits for images that others are fetching."""

_BUSY_POLL_S = 0.05

_log = logging.getLogger(__name__)


def locks_folder() -> Path:
    """Where the runs of this machine share the connections to the image hosts.

    A user's runs share them, whatever their databases and checkouts; another user's have connections of their own, for
    in a folder that all may write to, anybody could hold up all.
    """
    return Path(tempfile.gettempdir()) / f"tmdb_dagster-{os.getuid()}"


@dataclass(frozen=True)
class ImageReport:
    """What became of a movie's images: `moved` now, `kept` as they were, or not in the store (`missing`)."""

    moved: int = 0
    kept: int = 0
    missing: int = 0
    bytes: int = 0
    errors: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """All images that the movie wants."""
        return self.moved + self.kept + self.missing

    @property
    def changed(self) -> bool:
        """Whether there is anything to tell: an image was fetched, or is missing."""
        return bool(self.moved or self.missing)

    @classmethod
    def of(cls, wanted: int, results: Sequence[ImageResult], states: ImageStates) -> ImageReport:
        """What `results` and `states` of so many wanted images say."""
        moved = [result for result in results if result.error is None]
        return cls(
            moved=len(moved),
            kept=len(states.stored) - len(moved),
            missing=wanted - len(states.stored),
            bytes=sum(result.bytes for result in moved),
            errors=tuple(dict.fromkeys(result.error for result in results if result.error)),
        )


def urls_shown(
    images: ImageUrls,
    store: ImageStore,
    wanted: Iterable[WantedImage],
    stored: Mapping[str, str],
    adopted: Mapping[str, str],
) -> ImageUrls:
    """The URLs for a movie's rows: ours for those of its `wanted` images that are `stored` (SHA-256 by key).

    Those that are not keep the URLs that are `adopted` (by key), if any.
    """
    stored_or_not = {one.key: stored.get(one.key) for one in wanted}
    return replace(images, store_url=store.public_url(""), stored=stored_or_not, adopted=adopted)


@dataclass
class _Outage:
    """Counts failures in a row, so that a dead host or a wrong secret does not cost a time-out for every image.

    A host that asks to be left alone for a while is.
    """

    failures: int = 0
    until: float = 0.0
    reason: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, error: BaseException | None) -> None:
        with self.lock:
            if error is None:
                self.failures = 0
            elif isinstance(error, ImageUnavailable | StoreError):
                self.failures += 1
                self.reason = str(error)
                if self.failures >= OUTAGE:
                    self.until = time.monotonic() + PAUSE_S
                asked = error.retry_after_s if isinstance(error, ImageUnavailable) else None
                if asked is not None and asked > LONGEST_WAIT_S:
                    self.until = max(self.until, time.monotonic() + asked)

    @property
    def lasts(self) -> bool:
        return time.monotonic() < self.until


class Rehoster:
    """One run's way of rehosting. Threads share it; close it at the end."""

    def __init__(  # noqa: PLR0913 - what a run has, by keyword
        self,
        engine: Engine,
        store: ImageStore,
        images: ImageUrls,
        *,
        run_id: str,
        concurrency: int,
        networks: Sequence[Network],
        ending: Ending,
        redact: Callable[[str], str],
    ) -> None:
        self.store = store
        self._engine = engine
        self._images = images
        self._run_id = run_id
        self._ending = ending
        self._redact = redact
        self._outage = _Outage()
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="images")
        hosts = (images.image_url, images.youtube_url)
        self._downloader = Downloader(hosts, locks_folder(), networks=networks, sleep=ending.sleep)

    def close(self) -> None:
        """Wait for what is under way, and close the connections."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._downloader.close()

    def rehost(self, work_id: int, wanted: Sequence[WantedImage]) -> tuple[ImageUrls, ImageReport]:
        """Bring a movie's images to the store; returns the URLs that its rows show.

        Raises RunEnding, and what the database raises.
        """
        results, states = self.fetch(wanted, shown_by=work_id)
        report = ImageReport.of(len(wanted), results, states)
        missing = [one.key for one in wanted if one.key not in states.stored]
        adopted: Mapping[str, str] = {}
        if missing:
            by_work = run_transaction(self._engine, adopted_urls, self.store.public_url(""), [work_id], missing)
            adopted = by_work.get(work_id, {})
        return urls_shown(self._images, self.store, wanted, states.stored, adopted), report

    def fetch(
        self, wanted: Sequence[WantedImage], *, shown_by: int | None = None, everything: bool = False
    ) -> tuple[list[ImageResult], ImageStates]:
        """Fetch those of `wanted` that are due, and wait for those that others are fetching.

        `shown_by`: the work that is to show them; without one, movies show them already. `everything`: failed ones are
        due at once. Returns what was tried here, and how all of them stand.
        """
        if not wanted:
            return [], ImageStates({}, frozenset())
        results: list[ImageResult] = []
        deadline = time.monotonic() + BUSY_WAIT_S
        open_images = list(wanted)
        stored: dict[str, str] = {}
        while True:
            claimed, states = run_transaction(
                self._engine, self._claim, open_images, shown_by=shown_by, everything=everything
            )
            if claimed:
                done = self._transfer_all(claimed)
                run_transaction(self._engine, settle_images, self._run_id, self.store.name, done)
                results += done
                stored |= {result.image.key: result.sha256 for result in done if result.error is None}
            mine = {image.key for image in claimed}
            stored |= {key: sha256 for key, sha256 in states.stored.items() if key not in mine}
            # A busy one may be left behind by a run that dies: then the next claim gets it.
            open_images = [image for image in open_images if image.key in states.busy - mine]
            if not open_images or time.monotonic() > deadline:
                return results, ImageStates(stored, frozenset(image.key for image in open_images))
            self._ending.sleep(_BUSY_POLL_S)

    def _claim(
        self, connection: Connection, images: Sequence[WantedImage], *, shown_by: int | None, everything: bool
    ) -> tuple[list[WantedImage], ImageStates]:
        claimed = claim_images(
            connection, self._run_id, self.store.name, images, shown_by=shown_by, everything=everything
        )
        return claimed, image_states(connection, self.store.name, [image.key for image in images])

    def _transfer_all(self, images: Sequence[WantedImage]) -> list[ImageResult]:
        futures = {self._pool.submit(self._transfer, image): image for image in images}
        return [self._result(future, image) for future, image in futures.items()]

    def _result(self, future: Future[ImageResult], image: WantedImage) -> ImageResult:
        error = future.exception()
        if error is None:
            return future.result()
        if isinstance(error, RunEnding):
            raise error
        if not isinstance(error, ImageError):
            _log.error("image could not be rehosted", extra={"key": image.key}, exc_info=error)
            return ImageResult(image, error=self._redact(f"{type(error).__name__}: {error}"))
        _log.warning("image could not be rehosted", extra={"key": image.key, "reason": str(error)})
        return ImageResult(image, error=self._redact(str(error)))

    def _transfer(self, image: WantedImage) -> ImageResult:
        if self._ending.is_set():
            raise RunEnding("The run is ending.")
        if self._outage.lasts:
            reason = self._redact(f"Not tried, after a failure of others: {self._outage.reason}")
            return ImageResult(image, error=reason, tried=False)
        try:
            picture = self._downloader.fetch(source_urls(image, self._images))
            self.store.put(image.key, picture.content)
        except ImageError as error:
            self._outage.note(error)
            raise
        self._outage.note(None)
        return ImageResult(image, len(picture.content), picture.width, picture.height, picture.sha256)
