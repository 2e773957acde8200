"""`python -m benchmarks.image_host`: an image host that answers every path with one JPEG of about 30 KB."""

from __future__ import annotations

import socket
from io import BytesIO
from random import Random

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SIZE = (342, 513)
BYTES = 30_000


def picture() -> bytes:
    """A JPEG of BYTES bytes, a few more or less."""
    noise = Image.frombytes("RGB", (114, 171), Random(1).randbytes(114 * 171 * 3)).resize(SIZE)
    for quality in range(95, 5, -1):
        file = BytesIO()
        noise.save(file, "JPEG", quality=quality)
        if file.tell() <= BYTES:
            break
    return file.getvalue()


def main() -> None:
    """Serve until stopped; the first line of the output is the address."""
    content = picture()

    async def answer(_request: Request) -> Response:
        return Response(content, media_type="image/jpeg")

    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(f"http://127.0.0.1:{listening.getsockname()[1]} {len(content)}", flush=True)
    app = Starlette(routes=[Route("/{path:path}", answer)])
    uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[listening])


if __name__ == "__main__":
    main()
