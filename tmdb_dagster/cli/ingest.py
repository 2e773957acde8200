"""Runs the job weekly_ingest and shows how it goes: a bar in a terminal, plain lines elsewhere, a table at the end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from tmdb_dagster.cli.process import UI_URL, dagster_home, hint, installed, started, state_folder
from tmdb_dagster.cli.progress import movie_bar
from tmdb_dagster.pipeline.discover import IngestRequest
from tmdb_dagster.settings import Settings
from tmdb_dagster.shown import counted, visible
from tmdb_dagster.warehouse.batches import batch_progress
from tmdb_dagster.warehouse.run_log import logged_ingest

_POLL_S = 0.3
_LINE_EVERY_S = 5.0

_NEXT = """\
Next: `{ui}` opens Dagster's UI. Look there at
  {url}/assets/ops_report  the report: what ran, what is due, and what needs a person
  {url}/assets/movies      the movies, each with its poster and how it was ingested
  {url}/overview           the runs
`{help}` lists the other commands."""

_ROWS = (
    ("movies in TMDB's lists", "movies_checked"),
    ("there already", "movies_skipped"),
    ("kept out, such as adult ones", "movies_excluded"),
    ("ingested, at most {} at once", "movies_ingested"),
    ("failed", "movies_failed"),
    ("calls to TMDB", "calls"),
)


def run_ingest(engine: Engine, request: IngestRequest, settings: Settings) -> None:
    """Run the job in a process of its own, its output in a file of the state folder.

    Raises click.ClickException where the run failed.
    """
    console = Console(soft_wrap=True)
    config = {"ops": {"ingest_candidates": {"config": vars(request)}}}
    logs = state_folder(settings, "logs")
    output = logs / f"weekly_ingest-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    config_file = output.with_suffix(".yaml")
    config_file.write_text(json.dumps(config))  # JSON is YAML
    console.print("Running Dagster's job weekly_ingest ...")
    with dagster_home(settings), started(_job("weekly_ingest", "-c", str(config_file)), output) as process:
        _show_progress(console, _progress(engine, process, output))
    run_id = _run_id(output)
    row = _result(engine, run_id) if run_id else None
    if row is not None:
        _show_result(console, row, request.max_movies)
    if process.returncode != 0 or row is None:
        reason = (row and row["error_message"]) or f"{output} says why."
        raise click.ClickException(visible(f"The ingest failed: {reason}"))
    console.print("Drawing the report on all runs ...")
    with dagster_home(settings), started(_job("ops_report"), logs / "ops_report.log") as report:
        pass
    if report.returncode != 0:
        raise click.ClickException(f"The report could not be drawn: {logs / 'ops_report.log'} says why.")
    console.print(_NEXT.format(ui=hint("ui"), url=UI_URL, help=hint("--help")))


def _job(name: str, *options: str) -> list[str]:
    return installed("dagster", "job", "execute", "-m", "tmdb_dagster.definitions", "-j", name, *options)


def _run_id(output: Path) -> str | None:
    """The run's id, which `dagster job execute` chooses and tells in its output."""
    found = re.search(r"weekly_ingest - ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", output.read_text("utf8"))
    return found[1] if found else None


def _progress(engine: Engine, process: subprocess.Popen[bytes], output: Path) -> Iterator[tuple[int, int]]:
    """(movies settled, movies chosen) until the process ends; (0, 0) until they are chosen."""
    run_id = None
    while process.poll() is None:
        time.sleep(_POLL_S)
        run_id = run_id or _run_id(output)
        if run_id is not None:
            with engine.begin() as connection:
                progress = batch_progress(connection, run_id)
            yield progress


def _show_progress(console: Console, progress: Iterator[tuple[int, int]]) -> None:
    bar = movie_bar(console)
    task = bar.add_task("Discovering movies", total=None)
    shown, next_line = "", time.monotonic() + _LINE_EVERY_S
    with bar if console.is_terminal else nullcontext():
        for done, movies in progress:
            if movies:
                bar.update(task, description="Ingesting movies", completed=done, total=movies)
            line = f"Ingesting: {done} of {counted(movies, 'movie')} done" if movies else "Discovering movies"
            if not console.is_terminal and line != shown and time.monotonic() >= next_line:
                console.print(line)
                shown, next_line = line, time.monotonic() + _LINE_EVERY_S


def _result(engine: Engine, run_id: str) -> dict[str, Any] | None:
    with engine.begin() as connection:
        return logged_ingest(connection, run_id)


def _show_result(console: Console, row: dict[str, Any], most: int) -> None:
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, column in _ROWS:
        table.add_row(name.format(most), str(row[column]))
    table.add_row("duration", f"{(row['duration_ms'] or 0) / 1000:.1f} s")
    console.print(table)
    for title in row["failed_titles"] or []:
        console.print(visible(f"failed: {title}"), markup=False)
