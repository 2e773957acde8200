"""The sandbox as an HTTP server on this machine, in a thread of this process or in the foreground."""

from __future__ import annotations

import socket
import threading
from types import TracebackType

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tmdb_dagster.sandbox.app import SandboxApp
from tmdb_dagster.sandbox.catalogue import Catalogue
from tmdb_dagster.sandbox.faults import FaultPlan
from tmdb_dagster.sandbox.meter import Stats

HOST = "127.0.0.1"
_START_S = 30.0


class _Protocol(HttpToolsProtocol):
    """Gives each request the time at which it arrived, and the connection, which some faults close."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["arrived"] = self.loop.time()
        self.scope["state"]["transport"] = self.transport


class _Uvicorn(uvicorn.Server):
    """A server that says when it has started."""

    def __init__(self, app: SandboxApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                log_level="error",
                backlog=2048,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=1,
            )
        )
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class SandboxServer:
    """A local TMDB with an invented catalogue, running between `with` and its end.

    `port` 0 takes a free one; `latency_ms` is the least and the most that an API call is held back; `rate_limit` is
    written like `40/10s`, and without it nothing is refused. Raises OSError where the port is taken, ValueError for
    a malformed rate limit or a catalogue of fewer than two movies.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        seed: int = 1,
        movies: int = 2000,
        latency_ms: tuple[int, int] = (0, 0),
        rate_limit: str | None = None,
    ) -> None:
        self.catalogue = Catalogue(seed=seed, movies=movies)
        self._app = SandboxApp(self.catalogue, latency_ms=latency_ms, rate_limit=rate_limit)
        self._socket = socket.create_server((HOST, port), backlog=2048)
        root = f"http://{HOST}:{self._socket.getsockname()[1]}"
        self._app.root_url = root
        self.api_url = f"{root}/3"
        self.image_url = f"{root}/t/p"
        self.youtube_url = f"{root}/vi"
        self._server = _Uvicorn(self._app)
        self._thread = threading.Thread(target=self._serve, name="tmdb-sandbox", daemon=True)

    @property
    def faults(self) -> FaultPlan:
        """The faults to commit."""
        return self._app.faults

    @property
    def stats(self) -> Stats:
        """What was counted since the start or the last reset."""
        return self._app.read_stats()

    def reset(self) -> None:
        """Clear the stats, the faults and the rate limit's window."""
        self._app.reset()

    def run(self) -> None:
        """Serve in the foreground until SIGTERM or SIGINT."""
        self._serve()

    def __enter__(self) -> SandboxServer:
        """Start serving in a thread; returns once connections are accepted."""
        self._thread.start()
        if not self._server.ready.wait(_START_S):
            raise TimeoutError(f"The sandbox did not start within {_START_S:.0f} s.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving and free the port."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])
