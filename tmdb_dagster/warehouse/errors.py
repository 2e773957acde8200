"""Every way in which the warehouse can fail.

TmdbDagsterError
└── WarehouseError
    ├── DatabaseUnavailable    no connection, or it broke and did not come back
    │   ├── TooFewConnections  the server, a pooler or the role's limit has none left
    │   └── CommitUnknown      it broke at COMMIT, and the database does not say what became of that
    ├── DatabaseBusy           others hold what is needed; it may do another time
    ├── QueryCanceled          a statement took longer than it may, or was ended by hand
    ├── DatabaseReadOnly       nothing can be written to it
    ├── DatabaseFull           its disk or its memory has no room
    ├── AccessDenied           the role lacks a right
    ├── UnsuitableDatabase     it cannot hold the catalogue: its encoding
    ├── SchemaNotCurrent       the tables are missing: migrate first
    │   ├── SchemaBehind       they are of an earlier version: migrate; runs wait for it
    │   └── SchemaAhead        they are of a later version, which serves this one no longer: update the program
    ├── MigrationRefused       what is in the database cannot be brought to the current schema
    ├── OriginMismatch         the sandbox's movies and TMDB's would mix
    └── ApiLogIncomplete       calls were made that could not be logged
"""

from __future__ import annotations

from tmdb_dagster.errors import TmdbDagsterError


class WarehouseError(TmdbDagsterError):
    """Something that the database could not do."""


class DatabaseUnavailable(WarehouseError):
    """The database cannot be reached, or the connection broke and did not come back."""


class TooFewConnections(DatabaseUnavailable):
    """The server, a pooler before it, or the limit of the role has no connection left."""


class CommitUnknown(DatabaseUnavailable):
    """The connection broke at COMMIT, and the database does not say what became of the transaction."""


class DatabaseBusy(WarehouseError):
    """A lock could not be had, or transactions blocked one another: another time it may do."""


class QueryCanceled(WarehouseError):
    """A statement took longer than it may, or somebody ended it."""


class DatabaseReadOnly(WarehouseError):
    """Nothing can be written to the database."""


class DatabaseFull(WarehouseError):
    """The database has no room left, on its disk or in its memory."""


class AccessDenied(WarehouseError):
    """The role lacks a right."""

    permanent = True


class UnsuitableDatabase(WarehouseError):
    """The database cannot hold the catalogue."""

    permanent = True


class SchemaNotCurrent(WarehouseError):
    """The database's tables are missing or belong to another version of this package."""

    permanent = True


class SchemaBehind(SchemaNotCurrent):
    """The tables belong to an earlier version; in an upgrade, whoever migrates them is about to."""

    permanent = False


class SchemaAhead(SchemaNotCurrent):
    """The tables belong to a later version that serves this one no longer."""


class MigrationRefused(WarehouseError):
    """The database holds what a migration cannot reconcile; it was not touched, and the text says what to do."""


class OriginMismatch(WarehouseError):
    """The database holds movies of the other origin (sandbox or TMDB)."""

    permanent = True


class ApiLogIncomplete(WarehouseError):
    """Calls were made that could not be logged."""
