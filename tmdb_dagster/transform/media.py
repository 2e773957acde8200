"""Trailers and stills."""

from __future__ import annotations

import re

from tmdb_dagster.tmdb.models import Images, Video, Videos
from tmdb_dagster.transform.distinct import distinct_by, distinct_names
from tmdb_dagster.transform.images import ImageUrls, file_path, image_key
from tmdb_dagster.transform.rows import TrailerEntry

_TRAILERS_LENGTH = 10
_STILLS_LENGTH = 5
_YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def main_trailer(videos: Videos | None) -> str | None:
    """The YouTube id of the first official trailer, else of the first trailer, else of the first video."""
    on_youtube = _on_youtube(videos)
    of_trailers = [video for video in on_youtube if video.type == "Trailer"]
    official = [video for video in of_trailers if video.official]
    return next((video.key for video in [*official, *of_trailers, *on_youtube]), None)


def youtube_videos(videos: Videos | None) -> list[Video]:
    """The first 10 videos that are on YouTube, of whatever type."""
    return _on_youtube(videos)[:_TRAILERS_LENGTH]


def trailers(videos: Videos | None, work_id: int, images: ImageUrls) -> list[TrailerEntry]:
    """The videos of `youtube_videos`."""
    return [
        {
            "key": video.key,
            "name": video.name,
            "type": video.type,
            "thumbnail_url": images.shown(images.thumbnail(video.key), image_key("trailer", work_id, index)),
        }
        for index, video in enumerate(youtube_videos(videos), start=1)
    ]


def still_paths(pictures: Images | None) -> list[str]:
    """The paths of the first 5 backdrops."""
    paths = [file_path(backdrop.file_path) or "" for backdrop in pictures.backdrops] if pictures else []
    return distinct_names(paths)[:_STILLS_LENGTH]


def still_images(pictures: Images | None, work_id: int, images: ImageUrls) -> list[str]:
    """The URLs of the stills, 780 pixels wide."""
    shown = (
        images.shown(images.image(path, "w780"), image_key("still", work_id, index))
        for index, path in enumerate(still_paths(pictures), start=1)
    )
    return [url for url in shown if url]


def _on_youtube(videos: Videos | None) -> list[Video]:
    if videos is None:
        return []
    on_youtube = (video for video in videos.results if video.site == "YouTube" and _YOUTUBE_ID.fullmatch(video.key))
    return distinct_by(on_youtube, key=lambda video: video.key)
