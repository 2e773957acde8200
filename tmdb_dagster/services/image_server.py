"""`python -m tmdb_dagster.services.image_server`: shows the catalogue and the local store's images to this machine."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import click
import uvicorn
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from tmdb_dagster.images.stores import CACHE_CONTROL
from tmdb_dagster.logs import configure_logging
from tmdb_dagster.services.catalogue import catalogue_engine
from tmdb_dagster.services.provide import provide_database
from tmdb_dagster.settings import load_settings
from tmdb_dagster.web.app import catalogue_app

HOST = "127.0.0.1"


class _Images(StaticFiles):
    """Files that may be kept by whoever has read them."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = CACHE_CONTROL
        return response


def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok", "sandbox": "tmdb_dagster.images", "pid": os.getpid()})


def image_routes(folder: Path) -> list[BaseRoute]:
    """The files of `folder`, by their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    return [Route("/_sandbox/health", _health), Mount("/", _Images(directory=folder))]


@cache
def _engine() -> Engine:
    """The catalogue of the settings, or the embedded one. Raises ServiceNotStarted."""
    return catalogue_engine(provide_database(load_settings()))


@click.command()
@click.option("--port", required=True, type=int, help=f"Port on {HOST}.")
@click.option("--folder", required=True, type=click.Path(path_type=Path), help="Folder of the images.")
@click.option("--dagster-url", required=True, help="Where Dagster's UI is, which the pages link to.")
def main(port: int, folder: Path, dagster_url: str) -> None:
    """Serve the catalogue and its images until stopped."""
    settings = load_settings()
    configure_logging(settings.log_format, settings.redact)
    app = catalogue_app(_engine, settings.redact, dagster_url=dagster_url, routes=image_routes(folder))
    uvicorn.run(app, host=HOST, port=port, log_config=None, log_level="error", access_log=False)


if __name__ == "__main__":
    main()
