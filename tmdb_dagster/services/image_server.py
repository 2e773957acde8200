"""`python -m tmdb_dagster.services.image_server`: shows the images of the local store to this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tmdb_dagster.images.stores import CACHE_CONTROL
from tmdb_dagster.logs import configure_logging
from tmdb_dagster.settings import load_settings

HOST = "127.0.0.1"


class _Images(StaticFiles):
    """Files that may be kept by whoever has read them."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = CACHE_CONTROL
        return response


def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok", "sandbox": "tmdb_dagster.images", "pid": os.getpid()})


def image_server(folder: Path) -> Starlette:
    """The application: the files of `folder`, by their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    return Starlette(routes=[Route("/_sandbox/health", _health), Mount("/", _Images(directory=folder))])


@click.command()
@click.option("--port", required=True, type=int, help=f"Port on {HOST}.")
@click.option("--folder", required=True, type=click.Path(path_type=Path), help="Folder to show.")
def main(port: int, folder: Path) -> None:
    """Serve the images of a folder until stopped."""
    settings = load_settings()
    configure_logging(settings.log_format, settings.redact)
    uvicorn.run(image_server(folder), host=HOST, port=port, log_config=None, log_level="error", access_log=False)


if __name__ == "__main__":
    main()
