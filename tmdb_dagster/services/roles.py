"""The processes of a deployment, and the services that each cannot do without in production."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tmdb_dagster.services.errors import ServiceNotSet
from tmdb_dagster.settings import Settings


@dataclass(frozen=True)
class Service:
    """What a machine that has nothing is provided with, and production never is."""

    name: str
    advice: str
    is_set: Callable[[Settings], bool]


CATALOGUE = Service("the catalogue's database", "set DATABASE_URL", lambda s: s.database_url is not None)
DAGSTER = Service("Dagster's database", "set DAGSTER_DATABASE_URL", lambda s: s.dagster_database_url is not None)
TMDB = Service("TMDB", "set TMDB_READ_ACCESS_TOKEN or TMDB_API_KEY", lambda s: s.has_key)
IMAGES = Service(
    "a store of images",
    "set MOVIE_IMAGES_STORE to s3 or none, or MOVIE_IMAGES_FOLDER to a folder that all machines share",
    lambda s: s.movie_images_store != "local" or s.movie_images_folder is not None,
)
BROKER = Service("Celery's broker", "set CELERY_BROKER_URL", lambda s: s.celery_broker_url is not None)


@dataclass(frozen=True)
class Role:
    """A process of a deployment; `command` is the one of Dagster or Celery that it is, if any."""

    needs: tuple[Service, ...]
    command: tuple[str, ...] = ()


# A code location evaluates sensors on the catalogue, and executes runs where no launcher gives them to others.
_RUNS = (CATALOGUE, DAGSTER, TMDB, IMAGES)
ROLES = {
    "webserver": Role((DAGSTER,), ("dagster-webserver",)),
    "daemon": Role((DAGSTER,), ("dagster-daemon", "run")),
    "code-location": Role(_RUNS, ("dagster", "api", "grpc", "--module-name", "tmdb_dagster.definitions")),
    "worker": Role((*_RUNS, BROKER), ("celery", "--app", "dagster_celery.app", "worker")),
    "migrate": Role((CATALOGUE,)),
}


def require(settings: Settings, services: Iterable[Service]) -> None:
    """Raise ServiceNotSet in production, for all of `services` that the settings leave out."""
    if settings.tmdb_dagster_env != "production":
        return
    missing = [f"{service.name}: {service.advice}" for service in services if not service.is_set(settings)]
    if missing:
        raise ServiceNotSet(
            f"TMDB_DAGSTER_ENV is production, where nothing is provided. Missing: {'; '.join(missing)}."
        )
