"""The pages of the catalogue. Each is one read-only transaction; nothing can be changed here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import ChainableUndefined, Environment, PackageLoader
from sqlalchemy import Connection, Engine
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tmdb_dagster.errors import TmdbDagsterError
from tmdb_dagster.transform.attribution import JUSTWATCH_NOTICE, JUSTWATCH_URL, TMDB_LOGO_URL, TMDB_NOTICE, TMDB_URL
from tmdb_dagster.warehouse.browse import MoviePage, Query, find_movie, find_movies, genres

HOSTS = ["127.0.0.1", "localhost", "[::1]"]
"""Names of this machine: a page elsewhere cannot have the browser ask under a name of its own (DNS rebinding)."""

STATUSES = ("complete", "pending", "ingesting", "failed")

_POLICY = (
    "default-src 'none'; img-src 'self' https: http://127.0.0.1:*; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_OFFERS = {"flatrate": "stream", "free": "free", "ads": "with ads", "rent": "rent", "buy": "buy"}


def catalogue_app(
    engine: Callable[[], Engine], redact: Callable[[str], str], *, dagster_url: str, routes: Sequence[BaseRoute] = ()
) -> Starlette:
    """The application; `routes` are tried after its own, `engine` is asked for at the first page.

    An error is shown as one sentence, after `redact`.
    """
    pages = _Pages(engine, dagster_url)
    return Starlette(
        routes=[
            Route("/", pages.movies),
            Route("/movie/{tmdb_id:int}", pages.movie),
            Mount("/_catalogue", StaticFiles(directory=Path(__file__).parent / "static")),
            *routes,
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS), Middleware(_Headers)],
        exception_handlers={TmdbDagsterError: partial(_failed, redact)},
    )


class _Pages:
    def __init__(self, engine: Callable[[], Engine], dagster_url: str) -> None:
        self._engine = engine
        self._template = _environment().get_template("catalogue.html.jinja")
        self._dagster_url = dagster_url

    def movies(self, request: Request) -> Response:
        """The grid; what the address asks for wrongly is left out."""
        asked = {name: request.query_params.get(name, "").strip()[:100] for name in ("search", "genre", "status")}
        if asked["status"] not in STATUSES:
            asked["status"] = ""
        page = request.query_params.get("page", "1")
        query = Query(**asked, page=min(int(page), 10_000) if page.isdecimal() and int(page) else 1)

        def read(connection: Connection) -> dict[str, Any]:
            movies, more = find_movies(connection, query)
            return {"movies": movies, "more": more, "genres": genres(connection)}

        others = {
            step: "/?" + urlencode({**{name: value for name, value in asked.items() if value}, "page": number})
            for step, number in (("newer", query.page - 1), ("older", query.page + 1))
        }
        return self._page(self._read(read), query=query, statuses=STATUSES, movie=None, others=others)

    def movie(self, request: Request) -> Response:
        """One movie."""
        found: MoviePage | None = self._read(partial(find_movie, tmdb_id=request.path_params["tmdb_id"]))
        if found is None:
            raise HTTPException(404, "The catalogue has no movie with this TMDB id.")
        streaming = found.card.get("streaming") or {}
        offers = {region: offer for region, offer in streaming.items() if isinstance(offer, dict)}
        return self._page({"movie": found, "offers": offers})

    def _read(self, work: Callable[[Connection], Any]) -> Any:
        with self._engine().begin() as connection:
            return work(connection)

    def _page(self, values: dict[str, Any], **more: Any) -> Response:
        return HTMLResponse(self._template.render(values, **more, dagster_url=self._dagster_url))


def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("tmdb_dagster.web", "."),
        autoescape=True,
        undefined=ChainableUndefined,  # a card may be older than the template
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["link"] = _link
    found.filters["moment"] = lambda at: at.strftime("%Y-%m-%d %H:%M UTC") if at else "never"
    found.globals |= {
        "notices": [(TMDB_NOTICE, TMDB_URL), (JUSTWATCH_NOTICE, JUSTWATCH_URL)],
        "tmdb_logo": TMDB_LOGO_URL,
        "offer_names": _OFFERS,
    }
    return found


def _link(url: str | None) -> str:
    """An address that a browser may be sent to, else nothing: cards may come from elsewhere."""
    return url if url and url.startswith(("https://", "http://")) else ""


def _failed(redact: Callable[[str], str], _request: Request, error: Exception) -> Response:
    return HTMLResponse(f"<p>The catalogue cannot be read: {escape(redact(str(error)))}</p>", status_code=503)


class _Headers:
    """What a browser may do with the pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = _POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
            await send(message)

        await self._app(scope, receive, send_with_headers)
