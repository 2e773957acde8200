"""URLs of images: ours of those that are stored, TMDB's and YouTube's of the others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["poster", "backdrop", "trailer", "cast", "still"]

_FOLDERS: dict[Kind, str] = {
    "poster": "posters",
    "backdrop": "backdrops",
    "trailer": "trailers",
    "cast": "cast",
    "still": "stills",
}
_VERSION_LENGTH = 8
_FILE_PATH = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")


def image_key(kind: Kind, owner: int, variant: str | int | None = None) -> str:
    """An image's name in the store, such as `posters/7_medium.jpg`; `owner` is a work_id, for `cast` a person's id."""
    return f"{_FOLDERS[kind]}/{owner}{'' if variant is None else f'_{variant}'}.jpg"


def file_path(path: str | None) -> str | None:
    """A path of TMDB's as it is; None where there is none, or a malformed one."""
    return path if path and _FILE_PATH.fullmatch(path) else None


@dataclass(frozen=True)
class ImageUrls:
    """Where images are: TMDB's base (`https://image.tmdb.org/t/p`), YouTube's (`https://img.youtube.com/vi`), ours.

    `stored` holds every image that a movie wants, by key: the SHA-256 of our file, or None where there is none yet.
    `adopted` holds the URLs of files that another system has put where ours go, by key.
    """

    image_url: str
    youtube_url: str
    store_url: str = ""
    stored: Mapping[str, str | None] = field(default_factory=dict)
    adopted: Mapping[str, str] = field(default_factory=dict)

    def image(self, path: str | None, size: str) -> str | None:
        """The URL of a TMDB image in a size such as `w342`; None without a path, or with a malformed one.

        Sizes: https://developer.themoviedb.org/docs/image-basics
        """
        return f"{self.image_url.rstrip('/')}/{size}{path}" if file_path(path) else None

    def thumbnail(self, youtube_id: str | None, quality: str = "hqdefault") -> str | None:
        """The URL of a YouTube video's thumbnail; every video has `hqdefault`, few have `maxresdefault`."""
        return f"{self.youtube_url.rstrip('/')}/{youtube_id}/{quality}.jpg" if youtube_id else None

    def shown(self, url: str | None, key: str) -> str | None:
        """Our URL where the image is stored, else the adopted one, else `url`; None without `url`.

        Ours carries a hash of the content: readers keep a file for weeks, and see one that has replaced it at once.
        """
        if not url:
            return url
        sha256 = self.stored.get(key)
        return f"{self.store_url}{key}?v={sha256[:_VERSION_LENGTH]}" if sha256 else self.adopted.get(key, url)
