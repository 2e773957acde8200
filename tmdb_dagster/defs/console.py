"""What a terminal shows of a run that failed by our own word: one sentence, which is the last, and no frames.

Elsewhere Dagster keeps and shows what it always does.
"""

from __future__ import annotations

import atexit
import logging
import re
import sys
from pathlib import Path
from typing import Any

from tmdb_dagster.shown import visible

_BY_HAND = (["job", "execute"], ["asset", "materialize"])

# Such a failure is raised on purpose: where from says nothing that its sentence does not.
_FRAMES = re.compile(r"^(.*\n\ndagster\._core\.definitions\.events\.Failure: .*?)\n\nStack Trace:\n.*$", re.DOTALL)

_told: list[str] = []


def tell_last(sentence: str) -> None:
    """Show the sentence as the last line of `dagster job execute`, and there alone."""
    if Path(sys.argv[0]).stem != "dagster" or sys.argv[1:3] not in _BY_HAND:
        return
    if not _told:
        logging.setLogRecordFactory(_without_frames)
        atexit.register(_tell)
    _told.append(sentence)


def _without_frames(*arguments: Any, **more: Any) -> logging.LogRecord:
    record = logging.LogRecord(*arguments, **more)
    if isinstance(record.msg, str):
        record.msg = _FRAMES.sub(r"\1\n", record.msg)
    return record


def _tell() -> None:
    for sentence in dict.fromkeys(_told):
        sys.stderr.write(f"{visible(sentence)}\n")
