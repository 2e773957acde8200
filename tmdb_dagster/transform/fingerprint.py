"""A hash of content."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson


def fingerprint(content: Any) -> str:
    """The SHA-256 of the content's JSON with sorted keys, in hexadecimal."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
