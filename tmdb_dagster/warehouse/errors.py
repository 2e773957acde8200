"""Every way in which the warehouse can fail.

TmdbDagsterError
└── WarehouseError
    ├── DatabaseUnavailable    no connection, or it broke and did not come back
    ├── SchemaNotCurrent       the tables are missing or of another revision: migrate first
    ├── MigrationRefused       what is in the database cannot be brought to the current schema
    ├── MigrationBusy          another migration is at work, or others hold the locks that it needs
    ├── OriginMismatch         the sandbox's movies and TMDB's would mix
    └── ApiLogIncomplete       calls were made that could not be logged
"""

from __future__ import annotations

from tmdb_dagster.errors import TmdbDagsterError


class WarehouseError(TmdbDagsterError):
    """Something that the database could not do."""


class DatabaseUnavailable(WarehouseError):
    """The database cannot be reached, or the connection broke and did not come back."""


class SchemaNotCurrent(WarehouseError):
    """The database's tables are missing or belong to another version of this package."""


class MigrationRefused(WarehouseError):
    """The database holds what a migration cannot reconcile; it was not touched, and the text says what to do."""


class MigrationBusy(WarehouseError):
    """Another process has been migrating for a long time, or others hold the locks that a migration needs."""


class OriginMismatch(WarehouseError):
    """The database holds movies of the other origin (sandbox or TMDB)."""


class ApiLogIncomplete(WarehouseError):
    """Calls were made that could not be logged."""
