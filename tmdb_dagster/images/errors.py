"""Every way in which an image can fail to get from its host into the store.

TmdbDagsterError
└── ImageError
    ├── ImageRefused         its address is not one we ask: scheme, host, redirect, private network
    ├── ImageMissing         the host has no such image
    ├── ImageInvalid         what came is no image of a sane size
    ├── ImageUnavailable     the host did not answer in full, also when asked again
    └── StoreError
        ├── StoreRefused     the store says no: credentials, rights, region, no such bucket
        └── StoreUnavailable the store did not answer, or with an error of its own
"""

from __future__ import annotations

from tmdb_dagster.errors import TmdbDagsterError


class ImageError(TmdbDagsterError):
    """An image that could not be rehosted."""


class ImageRefused(ImageError):
    """The address is not one that images are fetched from."""


class ImageMissing(ImageError):
    """The host has no such image."""


class ImageInvalid(ImageError):
    """The bytes are no image, or none of a sane size."""


class ImageUnavailable(ImageError):
    """The host did not answer in full; `retry_after_s` is how long it asked us to wait."""

    retry_after_s: float | None = None


class StoreError(ImageError):
    """The store could not do what was asked."""


class StoreRefused(StoreError):
    """The store refused: asking again will not help."""


class StoreUnavailable(StoreError):
    """The store did not answer, or failed."""
