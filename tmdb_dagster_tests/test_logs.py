from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tmdb_dagster.defs.resources import CatalogueResource
from tmdb_dagster.logs import EventFormatter, configure_logging, inherited, log_fields
from tmdb_dagster.pipeline.discover import IngestRequest, discover
from tmdb_dagster.pipeline.errors import MovieFailed
from tmdb_dagster.pipeline.ingest import ingest_movie
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.warehouse.database import claimed_work

log = logging.getLogger("tmdb_dagster.test")


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """What is logged, as JSON reads it."""
    found: list[dict[str, Any]] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(json.loads(self.format(record)))

    handler = Collect()
    handler.setFormatter(EventFormatter("json", str))
    logger = logging.getLogger("tmdb_dagster")
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)
    logger.setLevel(before)


def _without_secret(line: str) -> str:
    return line.replace("hunter2-s3cret", "[redacted]")


def _formatted(form: Any, message: str, *arguments: Any, **extra: Any) -> str:
    record = log.makeRecord(log.name, logging.WARNING, __file__, 1, message, arguments, None, extra=extra)
    return EventFormatter(form, _without_secret).format(record)


def test_a_line_of_text_is_key_and_value() -> None:
    with log_fields(run_id="run-1"):
        line = _formatted("text", "movie %s", "failed", tmdb_id=603, reason='two\nlines, "quoted"', work_id=None)

    time, rest = line.split(" ", 1)
    assert time.startswith("time=20")
    assert rest == (
        r'level=warning event="movie failed" run_id=run-1 tmdb_id=603 reason="two\nlines, \"quoted\"" '
        "logger=tmdb_dagster.test"
    )


def test_a_line_of_json_holds_the_same() -> None:
    with log_fields(run_id="run-1"):
        line = json.loads(_formatted("json", "movie %s", "failed", tmdb_id=603, reason="two\nlines"))

    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "event": "movie failed",
        "run_id": "run-1",
        "tmdb_id": 603,
        "reason": "two\nlines",
        "logger": "tmdb_dagster.test",
    }


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_obeys_no_terminal_and_shows_no_secret(form: Any) -> None:
    line = _formatted(form, "movie failed", title="\x1b]0;owned\x07 \x9b31m \u2028 \u202e", reason="hunter2-s3cret")

    assert all(character.isprintable() for character in line)
    assert "hunter2-s3cret" not in line
    assert "[redacted]" in line
    if form == "json":
        assert json.loads(line)["title"] == "\x1b]0;owned\x07 \x9b31m \u2028 \u202e"


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_exception_stays_on_its_line(form: Any) -> None:
    try:
        int("wrong")
    except ValueError:
        record = log.makeRecord(log.name, logging.ERROR, __file__, 1, "broken", (), sys.exc_info())

    line = EventFormatter(form, _without_secret).format(record)

    assert "\n" not in line
    assert "ValueError: invalid literal" in line


def test_a_text_of_others_neither_ends_its_line_nor_commands_the_terminal() -> None:
    hostile = "one\rtwo\u2028three\x85\x1b[2J"

    line = _formatted("text", "movie failed", reason=hostile)

    assert r"reason=one\rtwo\u2028three\x85\x1b[2J " in line
    assert json.loads(_formatted("json", "movie failed", reason=hostile))["reason"] == hostile


def test_fields_end_with_their_block_and_reach_the_threads_that_inherit_them(lines: list[dict[str, Any]]) -> None:
    with log_fields(run_id="run-1"), log_fields(job="test"):
        with ThreadPoolExecutor(1, initializer=inherited()) as pool:
            pool.submit(log.info, "in a pool").result()
        alone = threading.Thread(target=log.info, args=("alone",))
        alone.start()
        alone.join()
    log.info("after")

    seen = {line["event"]: (line.get("run_id"), line.get("job")) for line in lines}
    assert seen == {"in a pool": ("run-1", "test"), "alone": (None, None), "after": (None, None)}


def test_a_command_that_logs_nothing_does_not_wait_for_structlog() -> None:
    command = "import sys; from tmdb_dagster.cli.main import main; main(['--help'], standalone_mode=False); "
    command += "from tmdb_dagster.logs import configure_logging; configure_logging('text', str); "

    subprocess.run([sys.executable, "-c", command + "assert 'structlog' not in sys.modules"], check=True)


def test_logging_is_configured_once_and_reaches_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("text", str)
    configure_logging("json", str)

    log.info("hello", extra={"tmdb_id": 603})

    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["tmdb_id"] == 603


def test_a_run_tells_what_happens_to_which_movie(
    lines: list[dict[str, Any]], start_run: Callable[..., Run], sandbox: SandboxServer
) -> None:
    sandbox.faults.add(Fault("/movie/603", "status", status=500, times=1))
    run = start_run()
    ingest_movie(run, 603)
    sandbox.faults.add(Fault("/movie/604", "status", status=404))
    with pytest.raises(MovieFailed):
        ingest_movie(run, 604)

    assert {(line["run_id"], line["job"]) for line in lines} == {("run-1", "test")}
    told = [(line["level"], line["event"], line.get("tmdb_id"), line.get("http_status")) for line in lines]
    assert told == [
        ("info", "run opened", None, None),
        ("warning", "call failed", 603, 500),
        ("info", "movie ingested", 603, None),
        ("warning", "call failed", 604, 404),
        ("warning", "movie gone", 604, None),
    ]
    ingested = lines[2]
    assert (ingested["calls"], ingested["ms"] > 0, ingested["title"] != "") == (2, True, True)


def test_a_rescue_is_told(lines: list[dict[str, Any]], start_run: Callable[..., Run]) -> None:
    run = start_run()
    claimed_work(run.engine, 5, run_id="dead")

    discover(run, IngestRequest("popular", 1, 1))

    rescue = next(line for line in lines if line["event"] == "claims of dead runs given back")
    assert (rescue["movies"], rescue["run_id"]) == (1, "run-1")
    discovered = next(line for line in lines if line["event"] == "movies discovered")
    assert (discovered["source"], discovered["chosen"]) == ("popular", 1)


def test_the_key_is_in_no_line(
    settings_environment: dict[str, str], start_run: Callable[..., Run], lines: list[dict[str, Any]]
) -> None:
    run = start_run(tmdb_api_url="http://127.0.0.1:1/3")
    run.ending.set()  # no waiting between the attempts

    with pytest.raises(Exception, match="ending"):
        run.tmdb.movie(603)

    assert lines[-1]["event"] == "call failed"
    assert "test-key" not in json.dumps(lines)


@pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")  # Dagster's own
def test_the_form_is_a_setting(
    settings_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_FORMAT", "json")

    with CatalogueResource().database():
        log.info("hello")

    assert json.loads(capsys.readouterr().err)["event"] == "hello"
