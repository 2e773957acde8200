"""The store of whoever has no bucket: a folder, which a web server shows."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

from tmdb_dagster.images.errors import StoreError, StoreUnavailable
from tmdb_dagster.images.stores import pages_of


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
        files = self._folder.rglob("[!.]*.jpg")
        return pages_of(path.relative_to(self._folder).as_posix() for path in files)

    def problems(self) -> list[str]:
        """Whether the folder can be written to."""
        try:
            self.put("doctor/probe.jpg", b"probe")
            self.delete("doctor/probe.jpg")
        except StoreError as error:
            return [f"{error}. Give this user the right to write to {self._folder}, or set MOVIE_IMAGES_FOLDER."]
        return []
