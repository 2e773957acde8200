"""Where rehosted images are kept: a small interface, the local folder, and which one the settings name."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from tmdb_dagster.images.errors import StoreError, StoreUnavailable
from tmdb_dagster.settings import Settings

CACHE_CONTROL = "public, max-age=2592000"
"""Thirty days: a file may be replaced under its name, when TMDB names another picture."""

PAGE = 1000
"""Keys listed at once."""


class ImageStore(Protocol):
    """Keeps JPEG files by key. All that it raises is a StoreError. Threads share it."""

    @property
    def name(self) -> str:
        """Which store this is, for the inventory."""
        ...

    def public_url(self, key: str) -> str:
        """Where anybody can read the file."""
        ...

    def put(self, key: str, content: bytes) -> None:
        """Store a file, or replace it as a whole."""
        ...

    def delete(self, key: str) -> None:
        """Remove a file; one that is not there is no error."""
        ...

    def pages(self) -> Iterator[Sequence[str]]:
        """Lists of all keys, in the order of their bytes."""
        ...

    def problems(self) -> list[str]:
        """What keeps the store from working, each with its fix; tries to write, read and remove a file."""
        ...


def open_store(settings: Settings) -> ImageStore | None:
    """The store that the settings name; None where images stay at TMDB. Connects to nothing yet."""
    if settings.movie_images_store == "none":
        return None
    if settings.movie_images_store == "s3":
        from tmdb_dagster.images.s3 import S3Store

        return S3Store(settings)
    if settings.movie_images_folder is None or settings.movie_images_public_url is None:
        raise TypeError("settings.movie_images_folder is None: provide the services first")
    return LocalStore(settings.movie_images_folder, settings.movie_images_public_url)


class LocalStore:
    """A folder, which a web server shows at `public_url`."""

    def __init__(self, folder: Path, public_url: str) -> None:
        self._folder = folder.resolve()
        self._public_url = public_url

    @property
    def name(self) -> str:
        """The folder."""
        return str(self._folder)

    def public_url(self, key: str) -> str:
        """The file's address at the web server."""
        return f"{self._public_url}/{key}"

    def put(self, key: str, content: bytes) -> None:
        """Write to a temporary file, and put it in its place in one step."""
        path = self._folder / key
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            try:
                part.write_bytes(content)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
                part.write_bytes(content)
            os.replace(part, path)  # noqa: PTH105 - named in the class's contract: whole or not at all
        except OSError as error:
            part.unlink(missing_ok=True)
            raise StoreUnavailable(f"{path} could not be written: {error.strerror}") from error

    def delete(self, key: str) -> None:
        """Remove the file."""
        try:
            (self._folder / key).unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{self._folder / key} could not be removed: {error.strerror}") from error

    def pages(self) -> Iterator[Sequence[str]]:
        """All files; what was left half written is none."""
        found = sorted(
            (path.relative_to(self._folder).as_posix() for path in self._folder.rglob("*.jpg")), key=str.encode
        )
        visible = [key for key in found if not key.rpartition("/")[2].startswith(".")]
        for start in range(0, len(visible), PAGE):
            yield visible[start : start + PAGE]

    def problems(self) -> list[str]:
        """Whether the folder can be written to."""
        try:
            self.put("doctor/probe.jpg", b"probe")
            self.delete("doctor/probe.jpg")
        except StoreError as error:
            return [f"{error}. Give this user the right to write to {self._folder}, or set MOVIE_IMAGES_FOLDER."]
        return []
