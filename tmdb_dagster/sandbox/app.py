"""The sandbox as an ASGI application: TMDB's API, its images, YouTube's thumbnails, and the sandbox's own controls."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from random import Random
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tmdb_dagster.sandbox.api import CODE_OF_STATUS, Api, error_body
from tmdb_dagster.sandbox.catalogue import Catalogue, Packed
from tmdb_dagster.sandbox.drawings import artwork
from tmdb_dagster.sandbox.faults import REMOVE, Fault, FaultPlan
from tmdb_dagster.sandbox.meter import RateLimit, Stats
from tmdb_dagster.sandbox.tokens import ImageRef, read_image_path, read_video_key

_JSON = "application/json;charset=utf-8"
_IMAGE = re.compile(r"/t/p/([a-z0-9]+)/([A-Za-z0-9]+\.(?:jpg|png))")
_THUMBNAIL = re.compile(r"/vi/([A-Za-z0-9_-]+)/(maxresdefault|hqdefault)\.jpg")
_YEAR_S = 31_536_000
_IMAGES_CACHED = 500
_HTML = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center></body></html>"


class SandboxApp:
    """Answers every request; keeps the stats, the rate limit and the faults."""

    def __init__(
        self, catalogue: Catalogue, *, latency_ms: tuple[int, int] = (0, 0), rate_limit: str | None = None
    ) -> None:
        self.catalogue = catalogue
        self.stats = Stats()
        self.faults = FaultPlan(catalogue.seed)
        self.root_url = ""
        self._api = Api(catalogue, lambda: f"{self.root_url}/t/p")
        self._latency_ms = latency_ms
        self._rate_limit = rate_limit
        self._random = Random(catalogue.seed)
        self._limit = RateLimit.parse(rate_limit) if rate_limit else None
        self._draw = lru_cache(maxsize=_IMAGES_CACHED)(self._draw_image)

    def reset(self) -> None:
        """Clear the stats, the faults and the rate limit's window."""
        self.stats = Stats()
        self.faults.clear()
        self._limit = RateLimit.parse(self._rate_limit) if self._rate_limit else None

    def read_stats(self) -> Stats:
        """The stats, with the faults counted by now."""
        self.stats.faults_fired = self.faults.fired
        return self.stats

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request (the server runs without the lifespan protocol and without websockets)."""
        path: str = scope["path"]
        if path.startswith("/_sandbox/"):
            await (await self._control(path, Request(scope, receive)))(scope, receive, send)
            return
        is_api = path.startswith("/3/")
        refused = self._arrive(scope["state"]["arrived"]) if is_api else None
        if is_api and self._latency_ms[1]:
            await asyncio.sleep(self._random.uniform(*self._latency_ms) / 1000)
        if refused is not None:
            await self._too_many(refused)(scope, receive, send)
            return
        fault = self.faults.strike(path[2:] if is_api else path)
        if fault is not None and fault.delay_s:
            await _hold(fault.delay_s, receive)
        if fault is None or fault.kind == "delay":
            response = await self._answer(scope, is_api=is_api, zipped=True)
        elif fault.kind == "drop":
            await _hang_up(scope, receive)
            return
        else:
            response = await self._faulty(scope, fault, is_api=is_api)
            if fault.kind == "truncate":
                await _send_half(response, scope, receive, send)
                return
        await response(scope, receive, send)

    def _arrive(self, now: float) -> int | None:
        """Count an API call; the number of calls in the window where the rate limit refuses it."""
        self.stats.arrived(now)
        refused = self._limit.refuses(now) if self._limit else None
        if refused is not None:
            self.stats.rate_limited += 1
            self.stats.violations += 1
        return refused

    def _too_many(self, count: int) -> Response:
        allowed = self._limit.calls if self._limit else 0
        message = f"Your request count ({count}) is over the allowed limit of {allowed}."
        return _json({"status_code": 25, "status_message": message}, 429)

    async def _answer(self, scope: Scope, *, is_api: bool, zipped: bool) -> Response:
        request = Request(scope)
        if request.method not in ("GET", "HEAD"):
            return _json(error_body(34), 405)
        if not is_api:
            return await self._image(request.url.path)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        answer = self._api.answer(
            request.url.path[2:], request.query_params, token.strip() if scheme.lower() == "bearer" else None
        )
        self.stats.by_endpoint[answer.endpoint] += 1
        return _packed(request, answer.body, answer.status, zipped=zipped)

    async def _image(self, path: str) -> Response:
        self.stats.image_calls += 1
        if found := _IMAGE.fullmatch(path):
            ref = read_image_path(self.catalogue.seed, found[2])
            size = artwork.pixels(ref.kind, found[1]) if ref else None
            return await self._picture(ref, size) if ref and size else Response(status_code=404)
        if found := _THUMBNAIL.fullmatch(path):
            ref = read_video_key(self.catalogue.seed, found[1])
            if ref is None:
                return Response(artwork.grey_placeholder(), 404, media_type="image/jpeg")
            if found[2] == "hqdefault":
                return await self._picture(ref, (480, 360))
            missing = artwork.maxres_missing_status(self.catalogue.seed, ref)
            if missing is not None:
                return Response(artwork.grey_placeholder(), missing, media_type="image/jpeg")
            return await self._picture(ref, (1280, 720))
        return Response(status_code=404)

    async def _picture(self, ref: ImageRef, size: tuple[int, int]) -> Response:
        picture = await asyncio.get_running_loop().run_in_executor(None, self._draw, ref, size)
        media_type = "image/png" if picture.startswith(b"\x89PNG") else "image/jpeg"
        return Response(picture, 200, {"Cache-Control": f"public, max-age={_YEAR_S}"}, media_type)

    def _draw_image(self, ref: ImageRef, size: tuple[int, int]) -> bytes:
        return artwork.draw_image(self.catalogue, ref, size)

    async def _faulty(self, scope: Scope, fault: Fault, *, is_api: bool) -> Response:
        """The answer that a fault makes of a call, `drop` and `delay` apart."""
        headers = dict(fault.headers or {})
        if fault.kind in ("status", "body"):
            status = fault.status or (500 if fault.kind == "status" else 200)
            if status == 429:
                self.stats.rate_limited += 1
            body = fault.body
            if body is None and fault.kind == "status":
                body = error_body(CODE_OF_STATUS.get(status, 11))
            content = body.encode() if isinstance(body, str) else orjson.dumps(body)
            return Response(content, status, headers, None if "content-type" in _lower(headers) else _JSON)
        if fault.kind == "html":
            status = fault.status or 200
            return Response(_HTML.format("502 Bad Gateway"), status, headers, "text/html")
        plain = await self._answer(scope, is_api=is_api, zipped=False)
        content = bytes(plain.body)
        if fault.kind == "patch":
            merged = {**orjson.loads(content), **fault.body}
            content = orjson.dumps({key: value for key, value in merged.items() if value != REMOVE})
        elif fault.kind == "raw_gzip":
            content = gzip.compress(content, mtime=0)
        return Response(content, fault.status or plain.status_code, headers, plain.headers["content-type"])

    async def _control(self, path: str, request: Request) -> Response:
        """`/_sandbox/…`: health, stats, reset, faults, and changes of the catalogue."""
        if path == "/_sandbox/health":
            health = {"status": "ok", "sandbox": "tmdb_dagster", "seed": self.catalogue.seed, "pid": os.getpid()}
            return _json(health)
        if path == "/_sandbox/stats":
            return _json(self.read_stats().as_dict())
        if request.method != "POST":
            return _json({"error": "no such control, or it wants POST"}, 404)
        try:
            return self._command(path, orjson.loads(await request.body() or b"null"))
        except (TypeError, ValueError, KeyError, re.error) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, 422)

    def _command(self, path: str, body: Any) -> Response:
        if path == "/_sandbox/reset":
            self.reset()
        elif path == "/_sandbox/faults":
            for fault in [Fault(**one) for one in body]:
                self.faults.add(fault)
        elif path == "/_sandbox/touch":
            for movie_id in body:
                self.catalogue.touch(movie_id)
        elif path == "/_sandbox/remove":
            for movie_id in body:
                self.catalogue.remove(movie_id)
        else:
            return _json({"error": "no such control"}, 404)
        return _json({"status": "ok"})


def _lower(headers: Mapping[str, str]) -> set[str]:
    return {name.lower() for name in headers}


def _json(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type=_JSON)


def _packed(request: Request, body: Packed, status: int, *, zipped: bool) -> Response:
    headers = {"Vary": "Accept-Encoding", "Cache-Control": "public, max-age=28800"}
    if zipped and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(body.gzipped, status, {**headers, "Content-Encoding": "gzip"}, _JSON)
    return Response(body.plain, status, headers, _JSON)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _hold(seconds: float, receive: Receive) -> None:
    """Wait that long, but no longer than the client does."""
    gone = asyncio.ensure_future(_disconnected(receive))
    await asyncio.wait({gone}, timeout=seconds)
    gone.cancel()


async def _hang_up(scope: Scope, receive: Receive) -> None:
    """Close the connection, and wait until it is closed: the server would answer with a 500 otherwise."""
    scope["state"]["transport"].abort()
    await _disconnected(receive)


async def _send_half(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Promise the whole body, send the first half, and close the connection."""
    content = bytes(response.body)
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
    scope["state"]["transport"].close()
    await _disconnected(receive)
