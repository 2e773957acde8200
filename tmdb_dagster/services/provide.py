"""What the user has not set is provided here: an embedded Postgres, the sandbox as TMDB, a server of images."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from tmdb_dagster.services.errors import ServiceNotSet
from tmdb_dagster.services.image_store import unreadable_images
from tmdb_dagster.services.local_server import LocalServer
from tmdb_dagster.services.postgres import database_url, remove_postgres, start_postgres, stop_postgres
from tmdb_dagster.services.roles import CATALOGUE, DAGSTER, IMAGES, TMDB, require
from tmdb_dagster.settings import Settings
from tmdb_dagster.warehouse.engine import check_schema, connect
from tmdb_dagster.warehouse.errors import SchemaNotCurrent
from tmdb_dagster.warehouse.origin import Origin

SANDBOX_NOTICE = (
    "No TMDB_READ_ACCESS_TOKEN or TMDB_API_KEY is set: the sandbox, a server on this machine, answers in TMDB's place, "
    "with synthetic movies."
)
POSTGRES_NOTICE = "No DATABASE_URL is set: an embedded Postgres keeps the movies, in {}."

_SANDBOX = LocalServer("sandbox", "tmdb_dagster.sandbox", "tmdb_dagster")
_IMAGES = LocalServer("images", "tmdb_dagster.services.image_server", "tmdb_dagster.images")


@dataclass(frozen=True)
class Services:
    """Settings with every address filled in, and whose movies they lead to."""

    settings: Settings
    origin: Origin


def _untold(_notice: str) -> None:
    """Whoever asks says nothing of it."""


def provide_services(settings: Settings, tell: Callable[[str], None] = _untold) -> Services:
    """Start what `settings` leave to us, and `tell` of it; all of it is shared by the processes of one state folder.

    Raises ServiceNotStarted, and before anything starts ServiceNotSet: in production for what is not set, elsewhere for
    images of a database of the user's own that its readers could not read.
    """
    require(settings, (CATALOGUE, TMDB, IMAGES))
    if problem := unreadable_images(settings):
        raise ServiceNotSet(problem)
    origin: Origin = "tmdb" if settings.has_key else "sandbox"
    if origin == "sandbox":
        tell(SANDBOX_NOTICE)
    if settings.database_url is None:
        tell(POSTGRES_NOTICE.format(settings.tmdb_dagster_state))
    settings = provide_database(settings)
    if origin == "sandbox":
        url = start_sandbox(settings.tmdb_dagster_state)
        settings = settings.model_copy(
            update={
                "tmdb_api_key": SecretStr("any"),
                "tmdb_api_url": f"{url}/3",
                "tmdb_image_url": f"{url}/t/p",
                "youtube_image_url": f"{url}/vi",
            }
        )
    return Services(_provide_images(settings, origin), origin)


def _provide_images(settings: Settings, origin: Origin) -> Settings:
    """Fill in where the local store is and how it is read; each origin's movies have a folder of their own."""
    if settings.movie_images_store != "local":
        return settings
    if settings.movie_images_folder is None or settings.movie_images_public_url is None:
        settings.tmdb_dagster_state.mkdir(parents=True, exist_ok=True)
    return settings.model_copy(
        update={
            "movie_images_folder": settings.movie_images_folder or settings.tmdb_dagster_state / _IMAGES.name / origin,
            "movie_images_public_url": settings.movie_images_public_url
            or f"{_IMAGES.url(settings.tmdb_dagster_state)}/{origin}",
        }
    )


def provide_database(settings: Settings) -> Settings:
    """Fill in `database_url`: without one, an embedded database, which is kept at the current schema.

    The sandbox's movies and TMDB's have a database each. Raises ServiceNotStarted; in production ServiceNotSet.
    """
    require(settings, (CATALOGUE,))
    if settings.database_url is not None:
        return settings
    name = "catalogue" if settings.has_key else "catalogue_sandbox"
    server = start_postgres(settings.tmdb_dagster_state / "postgres")
    url = database_url(server, name)
    engine = connect(url, schema=settings.database_schema)
    try:
        check_schema(engine)
    except SchemaNotCurrent:
        from tmdb_dagster.warehouse.migrate import migrate

        migrate(engine, settings.database_schema)
    finally:
        engine.dispose()
    return settings.model_copy(update={"database_url": SecretStr(url)})


def dagster_database_url(settings: Settings) -> str:
    """Where Dagster keeps runs and events: DAGSTER_DATABASE_URL, or a database of the embedded Postgres.

    Raises ServiceNotStarted; in production ServiceNotSet.
    """
    require(settings, (DAGSTER,))
    if settings.dagster_database_url is not None:
        return settings.dagster_database_url.get_secret_value()
    return database_url(start_postgres(settings.tmdb_dagster_state / "postgres"), "dagster")


def start_sandbox(state: Path) -> str:
    """Start the sandbox in the background, or find it running; returns its address, which stays the same.

    Raises ServiceNotStarted.
    """
    return _SANDBOX.start(state, "--latency-ms", "30-80", "--rate-limit", "40/10s")


def start_image_server(state: Path, *, dagster_url: str) -> str:
    """Start the server that shows the catalogue and the local store's images, or find it running; returns its address.

    Its pages link to Dagster's UI at `dagster_url`. Raises ServiceNotStarted.
    """
    return _IMAGES.start(state, "--folder", str(state / _IMAGES.name), "--dagster-url", dagster_url)


def stop_services(state: Path) -> list[str]:
    """Stop what was started for this state folder; returns the names of what was running."""
    stopped = [server.name for server in (_SANDBOX, _IMAGES) if server.stop(state)]
    if stop_postgres(state / "postgres"):
        stopped.append("Postgres")
    return stopped


def remove_services(state: Path) -> None:
    """Stop what was started for this state folder, and remove all that it kept, here and in the temporary folder."""
    stop_services(state)
    remove_postgres(state / "postgres")
    if state.exists():
        shutil.rmtree(state)
