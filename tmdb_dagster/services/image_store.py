"""The store that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tmdb_dagster.settings import Settings

if TYPE_CHECKING:
    from tmdb_dagster.images.stores import ImageStore


def unreadable_images(settings: Settings) -> str | None:
    """Why images may not be kept as the settings say, before anything is provided; None where they may.

    Who has set a database has readers elsewhere: a URL of this machine's own image server would lead them nowhere.
    """
    by_default = settings.movie_images_store == "local" and settings.movie_images_public_url is None
    if settings.database_url is None or not by_default:
        return None
    return (
        "DATABASE_URL is set, and its movies would get image URLs that only this machine can read: set "
        "MOVIE_IMAGES_STORE=s3 with a bucket, or MOVIE_IMAGES_STORE=none, or MOVIE_IMAGES_FOLDER and "
        "MOVIE_IMAGES_PUBLIC_URL."
    )


def open_store(settings: Settings) -> ImageStore | None:
    """The store that the settings name; None where images stay at TMDB. Connects to nothing yet."""
    if settings.movie_images_store == "none":
        return None
    if settings.movie_images_store == "s3":
        from tmdb_dagster.images.s3 import S3Store

        return S3Store(
            settings.movie_images_bucket,
            endpoint=settings.aws_endpoint_url_s3,
            region=settings.s3_region,
            credentials=settings.s3_credentials,
            public_url=settings.movie_images_public_url,
            connections=settings.movie_images_concurrency,
        )
    from tmdb_dagster.images.local import LocalStore

    if settings.movie_images_folder is None or settings.movie_images_public_url is None:
        raise TypeError("settings.movie_images_folder is None: provide the services first")
    return LocalStore(settings.movie_images_folder, settings.movie_images_public_url)
