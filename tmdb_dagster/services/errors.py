"""What can go wrong with the services that are provided to whoever has set none."""

from __future__ import annotations

from tmdb_dagster.errors import TmdbDagsterError


class ServiceNotStarted(TmdbDagsterError):
    """A local service did not come up."""


class ServiceNotSet(TmdbDagsterError):
    """A service that the settings must name is not set."""
