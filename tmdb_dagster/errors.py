"""The root of every error this package raises on purpose."""

from __future__ import annotations


class TmdbDagsterError(Exception):
    """Something the package could not do; the text says what was wrong, where, and what to do."""
