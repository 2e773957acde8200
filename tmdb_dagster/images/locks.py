"""The locks of the connections to the image hosts, which all runs of a machine share, and who waits for one."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from tmdb_dagster.images.errors import ImageError

CONNECTIONS = 20
"""Of one machine to an image host."""


class Locks:
    """The locks of one machine's connections, and the word that somebody waits for one.

    Each opening of a file has a lock of its own, so that two runs in one process exclude one another as well. Raises
    ImageError where the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting = -1

    def take(self) -> int | None:
        """The open file of a lock that was free, if there is one: closing it gives the lock back."""
        for number in range(CONNECTIONS):
            file = self._open(f"connection-{number}")
            if _locked(file, fcntl.LOCK_EX):
                return file
            os.close(file)
        return None

    def wait(self, waits: bool) -> None:
        """Say whether this run waits for a lock."""
        if waits and self._waiting < 0:
            self._waiting = self._open("waiting")
        if self._waiting >= 0:
            _locked(self._waiting, fcntl.LOCK_SH if waits else fcntl.LOCK_UN)

    def others_wait(self) -> bool:
        """Whether another run waits for a lock; forgets that this one does."""
        if self._waiting < 0:
            self._waiting = self._open("waiting")
        others = not _locked(self._waiting, fcntl.LOCK_EX)
        _locked(self._waiting, fcntl.LOCK_UN)
        return others

    def close(self) -> None:
        """Forget that this run waits."""
        if self._waiting >= 0:
            os.close(self._waiting)
            self._waiting = -1

    def _open(self, name: str) -> int:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._folder.lstat().st_uid != os.getuid():
                raise PermissionError(errno.EPERM, "the folder is another user's")
            return os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise ImageError(
                f"{self._folder / name}, a lock of the connections to the image hosts, cannot be opened: "
                f"{error.strerror}. Remove the folder, or let this user write to it."
            ) from error


def _locked(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
