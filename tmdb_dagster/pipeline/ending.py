"""The end of a run, which wakes whoever waits."""

from __future__ import annotations

import threading

from tmdb_dagster.pipeline.errors import RunEnding


class Ending(threading.Event):
    """Is set when a run ends before its work is done."""

    def sleep(self, seconds: float) -> None:
        """Wait. Raises RunEnding where the run ends meanwhile."""
        if self.wait(seconds):
            raise RunEnding("The run is ending.")
