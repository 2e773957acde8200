"""`python -m benchmarks.images`: images rehosted by the pipeline beside a bare boto3 pool with as many threads.

Sandbox, image host and SeaweedFS run in processes of their own, on this machine.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import click
import urllib3
from sqlalchemy import text

from benchmarks.report import Target, show_table, show_targets
from benchmarks.stage import postgres, sandbox
from tmdb_dagster.pipeline.enrich import enrich
from tmdb_dagster.pipeline.outcome import MovieOutcome
from tmdb_dagster.pipeline.run import open_run
from tmdb_dagster.services.image_store import open_store
from tmdb_dagster.settings import REPOSITORY, Settings, load_settings
from tmdb_dagster.warehouse.claims import Target as Movie
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster_tests.seaweed import S3Server, seaweed

Item = tuple[str, str]
"""Where an image is, and its key."""


@contextmanager
def image_host() -> Iterator[tuple[str, int]]:
    """The address of the image host, and the size of its images."""
    command = [sys.executable, "-m", "benchmarks.image_host"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        try:
            url, size = (process.stdout.readline() if process.stdout else "").split()
            yield url, int(size)
        finally:
            process.terminate()


def used_bucket(server: S3Server) -> str:
    """A bucket that is not quite new: SeaweedFS allocates a bucket's volumes at its first writes, which wait for it."""
    bucket, client = server.new_bucket(), server.client()
    with ThreadPoolExecutor(16) as executor:
        list(executor.map(lambda n: client.put_object(Bucket=bucket, Key=f"used/{n}", Body=b"x"), range(64)))
    return bucket


def bare(server: S3Server, items: Sequence[Item], threads: int, *, download: bool) -> float:
    """Seconds of a pool that gets each image and puts it, with nothing around it."""
    bucket, client = used_bucket(server), server.client()
    pool = urllib3.PoolManager(maxsize=threads)
    content = pool.request("GET", items[0][0]).data

    def move(item: Item) -> None:
        url, key = item
        body = pool.request("GET", url).data if download else content
        client.put_object(Bucket=bucket, Key=key, Body=body, ContentType="image/jpeg")

    return _seconds(move, items, threads)


def stored(server: S3Server, items: Sequence[Item], threads: int) -> float:
    """Seconds of a pool that puts each image into our store."""
    variables = server.variables(used_bucket(server), MOVIE_IMAGES_CONCURRENCY=str(threads))
    store = open_store(load_settings(**{name.lower(): value for name, value in variables.items()}))
    content = urllib3.request("GET", items[0][0]).data
    assert store is not None  # noqa: S101 - its type
    return _seconds(lambda item: store.put(item[1], content), items, threads)


def _seconds(move: Callable[[Item], None], items: Sequence[Item], threads: int) -> float:
    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as executor:
        list(executor.map(move, items))
    return time.perf_counter() - started


def rehosted(settings: Settings, run_id: str, movie_ids: Sequence[int], *, force: bool) -> tuple[float, int, int]:
    """Seconds for the movies, images moved and images missing."""
    moved = missing = 0

    def count(outcomes: list[MovieOutcome]) -> None:
        nonlocal moved, missing
        for outcome in outcomes:
            if not outcome.status.written:
                raise RuntimeError(f"{outcome.tmdb_id}: {outcome.message}")
            moved += outcome.images.moved if outcome.images else 0
            missing += outcome.images.missing if outcome.images else 0

    started = time.perf_counter()
    with open_run(settings, run_id=run_id, job="benchmark", origin="sandbox") as run:
        enrich(run, [Movie(movie_id, "") for movie_id in movie_ids], count, force=force)
    return time.perf_counter() - started, moved, missing


def items_of(settings: Settings, host: str) -> list[Item]:
    """What the pipeline has moved."""
    engine = connect(settings.database_url.get_secret_value() if settings.database_url else "")
    with engine.begin() as connection:
        rows = connection.execute(text("SELECT key FROM image_inventory ORDER BY sha256, key")).all()
    engine.dispose()
    return [(f"{host}/{row.key}", row.key) for row in rows]


@click.command()
@click.option("--movies", default=66, show_default=True, help="How many movies; each has about 23 images.")
@click.option("--threads", default=16, show_default=True, help="Images under way.")
@click.option("--repetitions", default=3, show_default=True, help="Runs of each, by turns; the median counts.")
def main(movies: int, threads: int, repetitions: int) -> None:
    """Measure, and compare with the targets."""
    seconds: dict[str, list[float]] = {
        name: [] for name in ("put only", "our store, put only", "get and put", "ours", "ours again")
    }
    with sandbox(latency_ms="0") as tmdb, postgres() as databases, image_host() as (host, size):
        movie_ids = tmdb.popular(movies)
        tmdb.warm(movie_ids)
        with tempfile.TemporaryDirectory() as folder, seaweed(Path(folder) / "seaweed") as server:
            for number in range(repetitions):
                with databases.fresh() as url:
                    settings = _settings(server, threads, url, tmdb.api_url, host)
                    first, moved, missing = rehosted(settings, f"a{number}", movie_ids, force=False)
                    again, moved_again, _ = rehosted(settings, f"b{number}", movie_ids, force=True)
                    if missing or moved_again:
                        raise RuntimeError(f"{missing} images missing, {moved_again} moved again")
                    items = items_of(settings, host)
                seconds["ours"].append(first)
                seconds["ours again"].append(again)
                seconds["get and put"].append(bare(server, items, threads, download=True))
                seconds["our store, put only"].append(stored(server, items, threads))
                seconds["put only"].append(bare(server, items, threads, download=False))
    count = len(items)
    if count != moved:
        raise RuntimeError(f"{moved} moved, {count} in the inventory")
    print(f"{movies} movies, {count} images of {size / 1000:.0f} kB, {threads} threads, {repetitions} repetitions\n")
    lines = [
        [name, f"{median(times):.2f}", f"{min(times):.2f}-{max(times):.2f}", f"{count / median(times):.0f}"]
        for name, times in seconds.items()
    ]
    show_table(["", "seconds", "range", "images/s"], lines)
    ours = median(seconds["ours"])
    show_targets(
        [
            Target("time / a bare pool's that downloads, too", ours / median(seconds["get and put"]), 1 / 0.8),
            Target("second run / first run", median(seconds["ours again"]) / ours, 0.1),
        ]
    )


def _settings(server: S3Server, threads: int, url: str, api_url: str, host: str) -> Settings:
    given: dict[str, Any] = {
        "database_url": url,
        "tmdb_api_key": "benchmark",
        "tmdb_api_url": api_url,
        "tmdb_image_url": f"{host}/t/p",
        "youtube_image_url": f"{host}/vi",
        "tmdb_rate_limit": "unlimited",
        "movie_images_concurrency": threads,
    }
    given |= {name.lower(): value for name, value in server.variables(used_bucket(server)).items()}
    return Settings(**given)


if __name__ == "__main__":
    main()
