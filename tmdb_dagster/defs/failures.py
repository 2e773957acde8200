"""How our errors reach Dagster: one clear message in the run."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from dagster import DagsterEventType, DagsterInstance, Failure
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.execution.plan.objects import StepFailureData

from tmdb_dagster.defs.console import tell_last
from tmdb_dagster.errors import TmdbDagsterError

PERMANENT = "permanent"
"""The metadata of a failure that says whether the run would fail again, until a person does something."""

_STOPPED = DagsterExecutionInterruptedError.__name__


@contextmanager
def clear_failures() -> Iterator[None]:
    """Turn what this package raises on purpose into a Failure with its text, which says what was wrong and what to do.

    Anything else is a fault of the program and keeps its stack trace, unless that would show a secret. Dagster's own
    retries stay off: what can be tried again has been, nearer to the cause, and a schedule's run is tried again whole.
    """
    try:
        yield
    except TmdbDagsterError as error:
        sentence = _redacted(str(error))
        tell_last(sentence)
        raise Failure(description=sentence, metadata={PERMANENT: error.permanent}, allow_retries=False) from None
    except Exception as error:
        trace = "".join(traceback.format_exception(error))
        if (shown := _redacted(trace)) == trace:
            raise
        raise Failure(description=shown, allow_retries=False) from None


def step_failures(instance: DagsterInstance, run_id: str) -> list[StepFailureData]:
    """What the run's steps say of their failures; a run whose process died, or was told to stop, says nothing."""
    entries = instance.all_logs(run_id, of_type=DagsterEventType.STEP_FAILURE)
    told = [entry.get_dagster_event().step_failure_data for entry in entries]
    return [data for data in told if data.error is None or data.error.cls_name != _STOPPED]


def _redacted(text: str) -> str:
    from tmdb_dagster.settings import SettingsError, load_settings

    try:
        return load_settings().redact(text)
    except SettingsError:
        return text  # it names the settings that are wrong, and no run has begun
