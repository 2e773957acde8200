"""URLs of TMDB's images and YouTube's thumbnails."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FILE_PATH = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")


@dataclass(frozen=True)
class ImageUrls:
    """Where images are: TMDB's base (`https://image.tmdb.org/t/p`), YouTube's (`https://img.youtube.com/vi`)."""

    image_url: str
    youtube_url: str

    def image(self, file_path: str | None, size: str) -> str | None:
        """The URL of a TMDB image in a size such as `w342`; None without a path, or with a malformed one.

        Sizes: https://developer.themoviedb.org/docs/image-basics
        """
        if not file_path or not _FILE_PATH.fullmatch(file_path):
            return None
        return f"{self.image_url.rstrip('/')}/{size}{file_path}"

    def file_path(self, url: str | None) -> str | None:
        """The path of a TMDB image, from a URL that `image` made."""
        if not url:
            return None
        base = f"{self.image_url.rstrip('/')}/"
        return url.removeprefix(base)[url.removeprefix(base).index("/") :] if url.startswith(base) else None

    def thumbnail(self, youtube_id: str | None, quality: str = "hqdefault") -> str | None:
        """The URL of a YouTube video's thumbnail; every video has `hqdefault`, few have `maxresdefault`."""
        return f"{self.youtube_url.rstrip('/')}/{youtube_id}/{quality}.jpg" if youtube_id else None
