"""Which images of a movie are rehosted, and where each comes from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tmdb_dagster.tmdb.models import Movie
from tmdb_dagster.transform.distinct import distinct_by
from tmdb_dagster.transform.images import ImageUrls, Kind, file_path, image_key
from tmdb_dagster.transform.media import main_trailer, still_paths, youtube_videos
from tmdb_dagster.transform.people import billed_cast

_CAST_PHOTOS = 10
_YOUTUBE = "youtube:"


@dataclass(frozen=True)
class WantedImage:
    """A file to have: its name in the store, whose it is, and where it comes from.

    `source_path` is TMDB's file path, or `youtube:` and a video's key; `source_at` is when the answer that names
    it was fetched.
    """

    key: str
    kind: Kind
    work_id: int | None
    person_id: str | None
    source_path: str
    source_size: str
    source_at: datetime


def source_urls(image: WantedImage, images: ImageUrls) -> list[str]:
    """Where the image is, best first."""
    if not image.source_path.startswith(_YOUTUBE):
        url = images.image(image.source_path, image.source_size)
        return [url] if url else []
    video = image.source_path.removeprefix(_YOUTUBE)
    sizes = dict.fromkeys((image.source_size, "hqdefault"))
    return [url for size in sizes if (url := images.thumbnail(video, size))]


def planned_images(movie: Movie, work_id: int, fetched_at: datetime) -> list[WantedImage]:
    """The files that a movie as fetched at `fetched_at` wants, each once."""
    wanted: list[WantedImage] = []

    def want(kind: Kind, path: str | None, size: str, variant: str | int | None = None) -> None:
        if path is not None:
            key = image_key(kind, work_id, variant)
            wanted.append(WantedImage(key, kind, work_id, None, path, size, fetched_at))

    poster = file_path(movie.poster_path)
    want("poster", poster, "w342", "medium")
    want("poster", poster, "w500", "large")
    want("backdrop", file_path(movie.backdrop_path), "w780")
    if trailer := main_trailer(movie.videos):
        want("trailer", _YOUTUBE + trailer, "maxresdefault", "thumb")
    for index, video in enumerate(youtube_videos(movie.videos), start=1):
        want("trailer", _YOUTUBE + video.key, "hqdefault", index)
    photos = [(one.id, path) for one in billed_cast(movie.credits) if (path := file_path(one.profile_path))]
    for person, path in distinct_by(photos, key=lambda photo: photo[0])[:_CAST_PHOTOS]:
        key = image_key("cast", person)
        wanted.append(WantedImage(key, "cast", None, str(person), path, "w185", fetched_at))
    for index, path in enumerate(still_paths(movie.images), start=1):
        want("still", path, "w780", index)
    return wanted
