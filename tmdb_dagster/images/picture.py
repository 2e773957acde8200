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
MAX_SCANS = 100
"""Of a JPEG; progressive ones have about ten. Ten bytes can be a scan that takes as long as the picture's own."""

_SCAN = b"\xff\xda"
_ORIENTATION = 0x0112
# How a picture is turned that says so in its EXIF data.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LYING = (5, 6, 7, 8)

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
    """A JPEG; width and height in pixels, as it is shown."""

    content: bytes
    width: int
    height: int

    @property
    def sha256(self) -> str:
        """The content's SHA-256."""
        return hashlib.sha256(self.content).hexdigest()


def read_picture(content: bytes) -> Picture:
    """Decode an image in full, and make an RGB JPEG of it if it is none: as it is shown, on white.

    Raises ImageInvalid for what is no JPEG, PNG or WebP, is cut off, or is too large or too small.
    """
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as image:
            width, height = image.size
            # The header tells the size: a bomb is refused before it is decoded.
            if width * height > MAX_PIXELS or min(width, height) < MIN_SIDE:
                raise ImageInvalid(f"it has {width}x{height} pixels")
            if content.count(_SCAN) > MAX_SCANS and image.format in ("JPEG", "MPO"):
                raise ImageInvalid(f"it has more than {MAX_SCANS} scans")
            # Not every reader shows CMYK.
            kept = image.format == "JPEG" and image.mode in ("RGB", "L")
            if kept:
                # An eighth of the size is decoded in a third of the time, and still reads every byte.
                image.draft(image.mode, (width // 8, height // 8))
            image.load()  # verify() passes files that are cut off
            orientation = _orientation(image)
            if orientation in _LYING:
                width, height = height, width
            if kept:
                return Picture(content, width, height)
            jpeg = BytesIO()
            _shown(image, orientation).save(jpeg, "JPEG", quality=90, icc_profile=_rgb_profile(image))
            return Picture(jpeg.getvalue(), width, height)
    except UnidentifiedImageError as error:
        raise ImageInvalid("it is no JPEG, PNG or WebP") from error
    except _UNREADABLE as error:
        raise ImageInvalid(f"it is no readable image ({str(error).split(':')[0]})") from error


def _orientation(image: Image.Image) -> int | None:
    try:
        orientation: int | None = image.getexif().get(_ORIENTATION)
    except _UNREADABLE:  # it says nothing then, and the picture is as good
        return None
    return orientation


def _shown(image: Image.Image, orientation: int | None) -> Image.Image:
    """RGB: upright, in 8 bits, and with white where it is transparent."""
    if image.mode.startswith("I"):
        # 16 bits: convert() alone would make everything white that is not nearly black.
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if orientation in _TURNS:
        image = image.transpose(_TURNS[orientation])
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def _rgb_profile(image: Image.Image) -> bytes | None:
    """The colour profile, where it fits RGB."""
    profile: bytes | None = image.info.get("icc_profile")
    return profile if profile is not None and profile[16:20] == b"RGB " else None
