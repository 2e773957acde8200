"""Which images of a movie are rehosted, under which names, and how its rows read once they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from tmdb_dagster.transform.card import Credited, card_row
from tmdb_dagster.transform.images import ImageUrls
from tmdb_dagster.transform.rows import CastEntry, MetaRow, MovieRows

Kind = Literal["poster", "backdrop", "trailer", "cast", "still"]

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


def planned_images(rows: MovieRows, images: ImageUrls) -> list[WantedImage]:
    """The files that the movie's rows want, each once; `rows` must have the URLs that `images` makes."""
    meta, work_id = rows.meta, rows.work["work_id"]
    source_at = datetime.fromisoformat(meta["fetched_at"])
    wanted: dict[str, WantedImage] = {}

    def want(key: str, kind: Kind, source_path: str | None, size: str, person_id: str | None = None) -> None:
        if source_path is not None:
            owner = None if person_id else work_id
            wanted.setdefault(key, WantedImage(key, kind, owner, person_id, source_path, size, source_at))

    poster = images.file_path(meta["poster_url_original"])
    want(f"posters/{work_id}_medium.jpg", "poster", poster, "w342")
    want(f"posters/{work_id}_large.jpg", "poster", poster, "w500")
    want(f"backdrops/{work_id}.jpg", "backdrop", images.file_path(meta["backdrop_url"]), "w780")
    if meta["trailer_youtube_id"]:
        source = _YOUTUBE + meta["trailer_youtube_id"]
        want(f"trailers/{work_id}_thumb.jpg", "trailer", source, "maxresdefault")
    for index, trailer in enumerate(meta["trailers"], start=1):
        want(f"trailers/{work_id}_{index}.jpg", "trailer", _YOUTUBE + trailer["key"], "hqdefault")
    for entry in _first_photos(meta["cast_members"]):
        source_path = images.file_path(entry["photo_url_medium"])
        want(f"cast/{entry['person_id']}.jpg", "cast", source_path, "w185", entry["person_id"])
    for index, url in enumerate(meta["still_images"], start=1):
        want(f"stills/{work_id}_{index}.jpg", "still", images.file_path(url), "w780")
    return list(wanted.values())


def with_images(
    rows: MovieRows, wanted: Iterable[WantedImage], stored: Iterable[str], public_url: Callable[[str], str]
) -> MovieRows:
    """The rows with our URL for every image of `wanted` whose key is in `stored`; for the others TMDB's stays."""
    keys = {image.key for image in wanted}
    urls = {key: public_url(key) for key in keys.intersection(stored)}
    meta = _with_urls(rows.meta, rows.work["work_id"], urls)
    shown = rows.card["payload"]
    credited = Credited(shown["director"], shown["writer"], shown["screenplay"], shown["composer"])
    fetched_at = datetime.fromisoformat(meta["fetched_at"])
    return replace(
        rows,
        meta=meta,
        card=card_row(rows.work, meta, rows.aggregates[-1], credited, fetched_at),
        images=[{"work_id": rows.work["work_id"], "key": key, "rehosted": key in urls} for key in sorted(keys)],
    )


def _with_urls(meta: MetaRow, work_id: int, urls: Mapping[str, str]) -> MetaRow:
    backdrop = urls.get(f"backdrops/{work_id}.jpg")
    photos = {
        entry["person_id"]: urls.get(f"cast/{entry['person_id']}.jpg") for entry in _first_photos(meta["cast_members"])
    }
    return {
        **meta,
        "poster_url_medium": urls.get(f"posters/{work_id}_medium.jpg", meta["poster_url_medium"]),
        "poster_url_large": urls.get(f"posters/{work_id}_large.jpg", meta["poster_url_large"]),
        "backdrop_url": backdrop or meta["backdrop_url"],
        "backdrop_url_mobile": backdrop or meta["backdrop_url_mobile"],
        "trailer_thumbnail": urls.get(f"trailers/{work_id}_thumb.jpg", meta["trailer_thumbnail"]),
        "trailers": [
            {**trailer, "thumbnail_url": urls.get(f"trailers/{work_id}_{index}.jpg", trailer["thumbnail_url"])}
            for index, trailer in enumerate(meta["trailers"], start=1)
        ],
        "cast_members": [_with_photo(entry, photos.get(entry["person_id"])) for entry in meta["cast_members"]],
        "still_images": [
            urls.get(f"stills/{work_id}_{index}.jpg", url) for index, url in enumerate(meta["still_images"], start=1)
        ],
    }


def _first_photos(cast: Iterable[CastEntry]) -> list[CastEntry]:
    """One entry for each of the first people with a photo."""
    people = {entry["person_id"]: entry for entry in reversed(list(cast)) if entry["photo_url_medium"]}
    return list(reversed(people.values()))[:_CAST_PHOTOS]


def _with_photo(entry: CastEntry, url: str | None) -> CastEntry:
    if url is None or entry["photo_url_medium"] is None:
        return entry
    return {**entry, "photo_url_small": url, "photo_url_medium": url, "photo_url_large": url}
