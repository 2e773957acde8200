"""The check that bytes are an image, before they are stored."""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from tmdb_dagster.images.errors import ImageInvalid

MAX_PIXELS = 8_000_000
"""More than any size that is asked for has (h632 and w1280 stay below 3 million); it takes 24 MB to decode."""

MIN_SIDE = 16

_FORMATS = ("JPEG", "PNG", "WEBP")
# What Pillow's decoders raise on malformed input.
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


@dataclass(frozen=True)
class Picture:
    """A JPEG; width and height in pixels."""

    content: bytes
    width: int
    height: int

    @property
    def sha256(self) -> str:
        """The content's SHA-256."""
        return hashlib.sha256(self.content).hexdigest()


def read_picture(content: bytes) -> Picture:
    """Decode an image in full, and make an RGB JPEG of it if it is none.

    Raises ImageInvalid for what is no JPEG, PNG or WebP, is cut off, or is too large or too small.
    """
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as image:
            width, height = image.size
            # The header tells the size: a bomb is refused before it is decoded.
            if width * height > MAX_PIXELS or min(width, height) < MIN_SIDE:
                raise ImageInvalid(f"it has {width}x{height} pixels")
            # Not every reader shows CMYK.
            kept = image.format == "JPEG" and image.mode in ("RGB", "L")
            if kept:
                # An eighth of the size is decoded in a third of the time, and still reads every byte.
                image.draft(image.mode, (width // 8, height // 8))
            image.load()  # verify() passes files that are cut off
            if kept:
                return Picture(content, width, height)
            jpeg = BytesIO()
            image.convert("RGB").save(jpeg, "JPEG", quality=90)
            return Picture(jpeg.getvalue(), width, height)
    except UnidentifiedImageError as error:
        raise ImageInvalid("it is no JPEG, PNG or WebP") from error
    except _UNREADABLE as error:
        raise ImageInvalid(f"it is no readable image ({str(error).split(':')[0]})") from error
