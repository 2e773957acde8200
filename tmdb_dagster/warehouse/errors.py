"""Every way in which the warehouse can fail.

TmdbDagsterError
└── WarehouseError
    ├── DatabaseUnavailable    no connection, or it broke and did not come back
    ├── SchemaNotCurrent       the tables are missing or of another revision: migrate first
    └── OriginMismatch         the sandbox's movies and TMDB's would mix
"""

from __future__ import annotations

from tmdb_dagster.errors import TmdbDagsterError


class WarehouseError(TmdbDagsterError):
    """Something that the database could not do."""


class DatabaseUnavailable(WarehouseError):
    """The database cannot be reached, or the connection broke and did not come back."""


class SchemaNotCurrent(WarehouseError):
    """The database's tables are missing or belong to another version of this package."""


class OriginMismatch(WarehouseError):
    """The database holds movies of the other origin (sandbox or TMDB)."""
