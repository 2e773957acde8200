"""Downloads, from a host that answers whatever a test wants, and what is never asked."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tmdb_dagster.images import download
from tmdb_dagster.images.addresses import is_local
from tmdb_dagster.images.download import Downloader
from tmdb_dagster.images.errors import ImageError, ImageInvalid, ImageMissing, ImageRefused, ImageUnavailable
from tmdb_dagster.sandbox.drawings.artwork import grey_placeholder
from tmdb_dagster_tests.images.pictures import bomb, jpeg
from tmdb_dagster_tests.serving import serving

Answers = dict[str, list[Response]]


class Host:
    """A host with prepared answers by path, the last of which is repeated; counts what it is asked."""

    def __init__(self) -> None:
        self.answers: Answers = {}
        self.asked: list[str] = []
        self.url = ""

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self._answer)])

    def _answer(self, request: Request) -> Response:
        path = request.url.path
        self.asked.append(path)
        answers = self.answers.get(path, [Response(status_code=404)])
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    with serving(host.app()) as url:
        host.url = url
        yield host


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def downloader(host: Host, waits: list[float], tmp_path: Path) -> Iterator[Downloader]:
    downloader = Downloader([f"{host.url}/t/p", f"{host.url}/vi"], tmp_path, sleep=waits.append)
    yield downloader
    downloader.close()


def ok(content: bytes) -> Response:
    return Response(content, media_type="image/jpeg")


def test_an_image_is_fetched(host: Host, downloader: Downloader) -> None:
    host.answers["/t/p/a.jpg"] = [ok(jpeg())]

    assert downloader.fetch([f"{host.url}/t/p/a.jpg"]).content == jpeg()


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_passing_failure_is_tried_again(status: int, host: Host, downloader: Downloader, waits: list[float]) -> None:
    host.answers["/t/p/a.jpg"] = [Response(status_code=status), ok(jpeg())]

    assert downloader.fetch([f"{host.url}/t/p/a.jpg"]).width == 342
    assert len(waits) == 1
    assert 0 <= waits[0] <= 10


def test_the_host_says_how_long_to_wait(host: Host, downloader: Downloader, waits: list[float]) -> None:
    host.answers["/t/p/a.jpg"] = [Response(status_code=429, headers={"Retry-After": "7"}), ok(jpeg())]

    downloader.fetch([f"{host.url}/t/p/a.jpg"])

    assert waits == [7]


def test_a_lasting_failure_ends_after_three_attempts(host: Host, downloader: Downloader) -> None:
    host.answers["/t/p/a.jpg"] = [Response(status_code=500)]

    with pytest.raises(ImageUnavailable, match=r"a\.jpg: the host answered 500"):
        downloader.fetch([f"{host.url}/t/p/a.jpg"])
    assert len(host.asked) == 3


def test_a_missing_image_is_not_tried_again(host: Host, downloader: Downloader) -> None:
    with pytest.raises(ImageMissing, match="404"):
        downloader.fetch([f"{host.url}/t/p/a.jpg"])
    assert len(host.asked) == 1


@pytest.mark.parametrize("content", [b"<html>502</html>", jpeg()[:5000], bomb()], ids=["html", "half", "bomb"])
def test_what_is_no_image_is_refused_with_its_address(content: bytes, host: Host, downloader: Downloader) -> None:
    host.answers["/t/p/a.jpg"] = [ok(content)]

    with pytest.raises(ImageInvalid, match=f"{host.url}/t/p/a.jpg: it"):
        downloader.fetch([f"{host.url}/t/p/a.jpg"])


def test_no_more_is_read_than_an_image_may_have(
    host: Host, downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", 1000)
    host.answers["/t/p/a.jpg"] = [ok(jpeg())]

    with pytest.raises(ImageInvalid, match="larger than"):
        downloader.fetch([f"{host.url}/t/p/a.jpg"])


@pytest.mark.parametrize("status", [404, 200])
def test_youtubes_placeholder_gives_way_to_the_smaller_thumbnail(
    status: int, host: Host, downloader: Downloader
) -> None:
    host.answers["/vi/abc/maxresdefault.jpg"] = [Response(grey_placeholder(), status, media_type="image/jpeg")]
    host.answers["/vi/abc/hqdefault.jpg"] = [ok(jpeg(480, 360))]
    urls = [f"{host.url}/vi/abc/{quality}.jpg" for quality in ("maxresdefault", "hqdefault")]

    assert downloader.fetch(urls).width == 480


def test_a_video_without_any_thumbnail_is_missing(host: Host, downloader: Downloader) -> None:
    host.answers["/vi/abc/hqdefault.jpg"] = [ok(grey_placeholder())]

    with pytest.raises(ImageMissing, match="placeholder"):
        downloader.fetch([f"{host.url}/vi/abc/hqdefault.jpg"])


def test_a_redirect_within_the_host_is_followed(host: Host, downloader: Downloader) -> None:
    host.answers["/t/p/a.jpg"] = [RedirectResponse("/t/p/b.jpg")]
    host.answers["/t/p/b.jpg"] = [ok(jpeg())]

    assert downloader.fetch([f"{host.url}/t/p/a.jpg"]).width == 342


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:9/x.jpg",
        "http://169.254.169.254/latest/meta-data",
        "https://elsewhere.example/x.jpg",
        "file:///etc/passwd",
        "//[::1]/x.jpg",
        "http://127.0.0.1:notaport/x.jpg",
        "http://[/x.jpg",
    ],
)
def test_a_redirect_to_elsewhere_is_refused(target: str, host: Host, downloader: Downloader) -> None:
    host.answers["/t/p/a.jpg"] = [RedirectResponse(target)]

    with pytest.raises(ImageRefused):
        downloader.fetch([f"{host.url}/t/p/a.jpg"])
    assert len(host.asked) == 1


def test_redirects_come_to_an_end(host: Host, downloader: Downloader) -> None:
    host.answers["/t/p/a.jpg"] = [RedirectResponse("/t/p/a.jpg")]

    with pytest.raises(ImageRefused, match="more than 3 redirects"):
        downloader.fetch([f"{host.url}/t/p/a.jpg"])


@pytest.mark.parametrize("base", ["http://images.example/t/p", "ftp://127.0.0.1/t/p"])
def test_plain_http_is_for_hosts_of_our_own_network(base: str, tmp_path: Path) -> None:
    with pytest.raises(ImageRefused, match="https only"):
        Downloader([base], tmp_path).fetch([f"{base}/a.jpg"])


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_public_name_that_leads_to_a_private_address_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as listening:
        port = listening.getsockname()[1]
        received: list[bytes] = []

        def listen() -> None:
            connection, _ = listening.accept()
            with connection:
                received.append(connection.recv(100))

        thread = threading.Thread(target=listen)
        thread.start()

        def resolve(*_: Any, **__: Any) -> list[Any]:
            return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        with pytest.raises(ImageRefused, match=f"images.example is at {address}, which is no public address"):
            Downloader(["https://images.example/t/p"], tmp_path).fetch(["https://images.example/t/p/a.jpg"])
        thread.join()
    assert received == [b""], "not a byte was sent"


def test_private_addresses_of_a_tunnel_are_allowed_where_they_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        where = ("127.0.0.1", listening.getsockname()[1])
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", where)]
        )
        received: list[bytes] = []

        def listen() -> None:
            connection, _ = listening.accept()
            with connection:
                received.append(connection.recv(100))

        thread = threading.Thread(target=listen)
        thread.start()
        monkeypatch.setattr(download, "ATTEMPTS", 1)
        downloader = Downloader(["https://images.example/t/p"], tmp_path, networks=[ip_network("127.0.0.0/8")])
        with pytest.raises(ImageUnavailable):
            downloader.fetch(["https://images.example/t/p/a.jpg"])
        thread.join()
        downloader.close()
    assert received[0], "it was spoken to"


@pytest.mark.parametrize(
    "private",
    [
        "10.0.0.1",
        "198.18.0.7",
        "::1",
        "::ffff:10.0.0.1",
        "::10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b:1::10.0.0.1",
        "2002:a00:1::",
        "fe80::1%eth0",
        "fd00::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_what_is_private_is_so_in_every_form(private: str) -> None:
    assert is_local(private)


@pytest.mark.parametrize("public", ["8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::", "2600::1"])
def test_what_is_public_is_so_in_every_form(public: str) -> None:
    assert not is_local(public)


def drip(connection: socket.socket) -> None:
    """Headers without an end, a byte at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    for _ in range(300):
        try:
            connection.sendall(b"x")
        except OSError:
            return
        time.sleep(0.02)


Raw = Callable[[Callable[[socket.socket], None]], str]


@pytest.fixture
def raw_host() -> Iterator[Raw]:
    """Starts a host that reads a request and then does what it is told; returns its address."""
    with ExitStack() as stack:

        def start(behave: Callable[[socket.socket], None]) -> str:
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def serve() -> None:
                while True:
                    try:
                        connection, _ = listening.accept()
                    except OSError:
                        return
                    with connection:
                        connection.recv(10_000)
                        behave(connection)

            threading.Thread(target=serve, daemon=True).start()
            stack.callback(listening.shutdown, socket.SHUT_RDWR)
            return f"http://127.0.0.1:{listening.getsockname()[1]}"

        yield start


def test_a_body_that_is_cut_off_is_tried_again(raw_host: Raw, tmp_path: Path) -> None:
    tries = []

    def half(connection: socket.socket) -> None:
        tries.append(1)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(jpeg()) + jpeg()[:1000])

    url = raw_host(half)
    with pytest.raises(ImageUnavailable, match="no complete answer"):
        Downloader([url], tmp_path, sleep=lambda _: None).fetch([f"{url}/a.jpg"])
    assert len(tries) == 3


def test_a_host_that_drips_does_not_outlast_the_deadline(
    raw_host: Raw, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(download, "DEADLINE_S", 0.2)
    monkeypatch.setattr(download, "ATTEMPTS", 1)

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(300):
            try:
                connection.sendall(b"x")
            except OSError:
                return
            time.sleep(0.02)

    url = raw_host(drip)
    with pytest.raises(ImageUnavailable, match="not complete after"):
        Downloader([url], tmp_path).fetch([f"{url}/a.jpg"])


def test_a_folder_of_locks_that_cannot_be_used_is_named(host: Host, tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("no folder")

    with pytest.raises(ImageError, match=r"/locks/connection-0, a lock .* cannot be opened: File exists"):
        Downloader([host.url], tmp_path / "locks").fetch([f"{host.url}/a.jpg"])


def test_a_host_whose_headers_drip_does_not_outlast_the_deadline(
    raw_host: Raw, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(download, "DEADLINE_S", 0.3)
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    url = raw_host(drip)

    started = time.monotonic()
    with pytest.raises(ImageUnavailable, match="not complete after"):
        Downloader([url], tmp_path).fetch([f"{url}/a.jpg"])
    assert time.monotonic() - started < 2


def test_images_come_by_the_environments_proxy(raw_host: Raw, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    proxy = raw_host(
        lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(jpeg()) + jpeg())
    )
    monkeypatch.setenv("HTTP_PROXY", proxy)
    downloader = Downloader(["http://192.0.2.10/t/p"], tmp_path)

    assert downloader.fetch(["http://192.0.2.10/t/p/a.jpg"]).content == jpeg()
    downloader.close()
