"""Pictures for tests, and files that are none."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from random import Random

from PIL import Image


def jpeg(width: int = 342, height: int = 513, *, seed: int = 1) -> bytes:
    """A JPEG of noise."""
    return _encoded(width, height, "JPEG", seed)


def png(width: int = 64, height: int = 64, *, seed: int = 1) -> bytes:
    """A PNG of noise."""
    return _encoded(width, height, "PNG", seed)


def bomb() -> bytes:
    """A PNG of a few kB that would decode to 100 megapixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 10_000, 10_000, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1251) * 10_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _encoded(width: int, height: int, kind: str, seed: int) -> bytes:
    small = Image.frombytes("RGB", (16, 16), Random(seed).randbytes(16 * 16 * 3))
    file = BytesIO()
    small.resize((width, height)).save(file, kind)
    return file.getvalue()
