"""Work that is shared out among processes, for Python computes on one processor alone."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

_Given = TypeVar("_Given")
_Result = TypeVar("_Result")

_AHEAD = 2
"""Items handed to each process before its results are taken: it never waits, and memory stays as it is."""


class WorkerProcesses:
    """Processes that start when they are first given something."""

    def __init__(self, open_worker: Callable[..., None], *held: Any) -> None:
        self._workers = os.cpu_count() or 1
        # Not by fork, which would copy locks that other threads hold.
        self._pool = ProcessPoolExecutor(
            self._workers, get_context("spawn"), initializer=_begin, initargs=(open_worker, held)
        )

    def map(self, function: Callable[[_Given], _Result], items: Iterable[_Given]) -> Iterator[_Result]:
        """The function's results, in the order of the items, few of which are taken ahead. Raises what it raises."""
        waiting: deque[Future[_Result]] = deque()
        for item in items:
            waiting.append(self._pool.submit(function, item))
            if len(waiting) > _AHEAD * self._workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def close(self) -> None:
        """Wait for what is under way, and leave the rest."""
        self._pool.shutdown(cancel_futures=True)


@contextmanager
def worker_processes(open_worker: Callable[..., None], *held: Any) -> Iterator[WorkerProcesses]:
    """As many processes as processors; each calls `open_worker` with what is `held` before its first item."""
    workers = WorkerProcesses(open_worker, *held)
    try:
        yield workers
    finally:
        workers.close()


def _begin(open_worker: Callable[..., None], held: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt of the terminal is for the process that waits
    threading.Thread(target=_end_with_parent, daemon=True).start()
    open_worker(*held)


def _end_with_parent() -> None:
    """A parent that was killed cannot end its workers, which would wait for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
