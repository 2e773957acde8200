"""The commands of Dagster and Celery, run as processes: this room imports neither."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import click

from tmdb_dagster.settings import Settings, environment

PACKAGE = Path(__file__).parents[1]
DAGSTER_YAML = PACKAGE / "dagster.yaml"
WORKSPACE_YAML = PACKAGE / "workspace.yaml"

UI_PORT = 3000
UI_URL = f"http://127.0.0.1:{UI_PORT}"
"""Where the UI is, unless it is told another place."""

_STOP_TIMEOUT_S = 30


def installed(program: str, *arguments: str) -> list[str]:
    """The command of this virtual environment."""
    return [str(Path(sys.executable).parent / program), *arguments]


def hint(*arguments: str) -> str:
    """A call of this command as it can be typed here: by its name where the shell finds that, else by its file."""
    this = Path(sys.argv[0])
    found = shutil.which(this.name)
    if found is None or not this.exists() or not Path(found).samefile(this):
        with suppress(ValueError):
            this = this.absolute().relative_to(Path.cwd())
        return " ".join([str(this), *arguments])
    return " ".join([this.name, *arguments])


def state_folder(settings: Settings, name: str) -> Path:
    """A folder of the state folder, made where it is missing. Raises click.ClickException where it cannot be."""
    folder = settings.tmdb_dagster_state / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(
            f"{folder} cannot be made ({error.strerror}): set TMDB_DAGSTER_STATE to a folder that can be written."
        ) from error
    return folder


@contextmanager
def dagster_home(settings: Settings) -> Iterator[None]:
    """An environment in which Dagster's processes find their home, and our state: made here unless one is set.

    Raises click.ClickException where it cannot be made.
    """
    home = settings.dagster_home
    if home is None:
        home = state_folder(settings, "dagster")
        ours = DAGSTER_YAML.read_text("utf8")
        file = home / "dagster.yaml"
        if not file.exists() or file.read_text("utf8") != ours:
            copy = home / f"dagster.yaml.{os.getpid()}"
            copy.write_text(ours, "utf8")
            copy.replace(file)
    variables = {"DAGSTER_HOME": str(home)}
    if settings.keeps_files:
        variables["TMDB_DAGSTER_STATE"] = str(settings.tmdb_dagster_state)
    # Celery, and Dagster for its launcher, read the environment alone; ours may be in a file.
    for name in ("celery_broker_url", "celery_result_backend"):
        if (value := getattr(settings, name)) is not None:
            variables[name.upper()] = value.get_secret_value()
    with environment(**variables):
        yield


def become(settings: Settings, program: str, *arguments: str) -> NoReturn:
    """Replace this process by a command of this virtual environment.

    Raises click.ClickException where it is not installed.
    """
    # It is to get Ctrl+C even where this was started in the background of a script.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    command = installed(program, *arguments)
    try:
        with dagster_home(settings):
            os.execv(command[0], command)  # noqa: S606 - no shell wanted
    except FileNotFoundError as error:
        raise click.ClickException(
            f"{program} is not installed: install the extra `{program}` (pip install 'tmdb-dagster[{program}]')."
        ) from error


@contextmanager
def started(command: list[str], output: Path, *, pass_fds: Sequence[int] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose output goes to a file; interrupted when the block fails, waited for in any case."""
    # Ctrl+C is to reach both even where this was started in the background of a script, which ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl+C in a terminal would reach it, too: interrupted twice, it could not end in order.
            start_new_session=True,
            pass_fds=pass_fds,
        )
    try:
        yield process
        process.wait()
    except BaseException:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_TIMEOUT_S)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise
    finally:
        process.wait()
