"""The root of every error this package raises on purpose."""

from __future__ import annotations

from typing import ClassVar


class TmdbDagsterError(Exception):
    """Something the package could not do; the text says what was wrong, where, and what to do."""

    permanent: ClassVar[bool] = False
    """Whether the same run would fail again, until a person does something."""
