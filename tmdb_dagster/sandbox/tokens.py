"""Image paths and video keys that carry what they show, so that the image server needs no table of them.

A token is 64 bits: kind, owner, variant and a check, scrambled reversibly so that it looks as random as TMDB's.
"""

from __future__ import annotations

import base64
from enum import IntEnum
from hashlib import blake2b
from typing import NamedTuple

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_DIGIT = {character: value for value, character in enumerate(_ALPHABET)}
_MASK = (1 << 64) - 1
_FACTOR = 0x9E3779B97F4A7C15
_INVERSE = pow(_FACTOR, -1, 1 << 64)


class ImageKind(IntEnum):
    """What an image shows, and whose id its owner is."""

    POSTER = 1
    BACKDROP = 2
    TITLE_LOGO = 3
    PROFILE = 4
    COMPANY_LOGO = 5
    PROVIDER_LOGO = 6
    COLLECTION_POSTER = 7
    COLLECTION_BACKDROP = 8
    THUMBNAIL = 9


_PNG = (ImageKind.TITLE_LOGO, ImageKind.COMPANY_LOGO)


class ImageRef(NamedTuple):
    """One image: its kind, the id of the movie, person, company, service or collection, and which of its images."""

    kind: ImageKind
    owner: int
    variant: int


def _digest(seed: int, packed: int) -> bytes:
    return blake2b(packed.to_bytes(5, "big"), digest_size=16, key=seed.to_bytes(8, "big", signed=True)).digest()


def _scramble(seed: int, ref: ImageRef) -> tuple[int, bytes]:
    packed = ref.kind << 36 | ref.owner << 12 | ref.variant
    digest = _digest(seed, packed)
    value = packed << 24 | int.from_bytes(digest[:3], "big")
    value = value * _FACTOR & _MASK
    value ^= value >> 32
    return value * _FACTOR & _MASK, digest


def _unscramble(seed: int, value: int) -> ImageRef | None:
    value = value * _INVERSE & _MASK
    value ^= value >> 32
    value = value * _INVERSE & _MASK
    packed = value >> 24
    kind = packed >> 36
    if kind not in ImageKind.__members__.values() or _digest(seed, packed)[:3] != (value & 0xFFFFFF).to_bytes(3, "big"):
        return None
    return ImageRef(ImageKind(kind), packed >> 12 & 0xFFFFFF, packed & 0xFFF)


def image_path(seed: int, kind: ImageKind, owner: int, variant: int = 0) -> str:
    """A `file_path` in TMDB's form: a slash, 27 letters and digits, and `.jpg` or `.png`."""
    value, digest = _scramble(seed, ImageRef(kind, owner, variant))
    parts = []
    for _ in range(5):
        value, low = divmod(value, 3844)
        parts.append(_PAIRS[low])
    filler = base64.b64encode(digest[4:16], altchars=b"kQ").decode()
    return f"/{''.join(parts)}{_ALPHABET[value]}{filler}{'.png' if kind in _PNG else '.jpg'}"


def read_image_path(seed: int, path: str) -> ImageRef | None:
    """What the image at that path shows; None where the path is not one of this seed's."""
    token = path.lstrip("/")
    if len(token) != 31 or not set(token[:27]) <= _DIGIT.keys():
        return None
    value = _DIGIT[token[10]]
    for start in range(8, -1, -2):
        value = value * 3844 + _DIGIT[token[start]] * 62 + _DIGIT[token[start + 1]]
    ref = _unscramble(seed, value & _MASK)
    return ref if ref is not None and image_path(seed, *ref) == f"/{token}" else None


def video_key(seed: int, movie_id: int, number: int) -> str:
    """A video's key in YouTube's form: 11 characters."""
    value, _ = _scramble(seed, ImageRef(ImageKind.THUMBNAIL, movie_id, number))
    return base64.urlsafe_b64encode(value.to_bytes(8, "big")).decode().rstrip("=")


def read_video_key(seed: int, key: str) -> ImageRef | None:
    """The video of that key; None where the key is not one of this seed's."""
    try:
        raw = base64.b64decode(f"{key}=", altchars=b"-_", validate=True)
    except ValueError:
        return None
    ref = _unscramble(seed, int.from_bytes(raw, "big")) if len(raw) == 8 else None
    return ref if ref is not None and ref.kind is ImageKind.THUMBNAIL else None
