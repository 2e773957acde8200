"""The rule for connections that leave this machine, with real TLS and a real proxy."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tmdb_dagster.outgoing import CertificatesUnreadable, Http, proxy_for, tls_context
from tmdb_dagster.pipeline.alerts import send_alert
from tmdb_dagster_tests.serving import serving

HOST = "images.example"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's machine names does not count."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of HOST that nobody has signed, with its key."""
    folder = tmp_path_factory.mktemp("certificate")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}"]
    command += ["-addext", f"subjectAltName=DNS:{HOST}", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem"


def _read_request(connection: ssl.SSLSocket) -> None:
    """Read to the end of the body: a connection that is closed on what was not read is reset, its answer lost."""
    request = b""
    while b"\r\n\r\n" not in request and (data := connection.recv(10_000)):
        request += data
    head, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", head.lower())
    left = int(length[1]) - len(body) if length else 0
    while left > 0 and (data := connection.recv(left)):
        left -= len(data)


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[int]:
    """The port of a TLS server that answers every request with `hello`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listening.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(plain, server_side=True) as connection:
                        _read_request(connection)
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
                except OSError:
                    continue

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(tls_server: int) -> Iterator[tuple[str, list[bytes]]]:
    """A proxy that leads every tunnel to the TLS server: its address, and what it is asked."""
    asked: list[bytes] = []

    def copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(10_000):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            with client, socket.create_connection(("127.0.0.1", tls_server)) as server:
                asked.append(client.recv(10_000))
                client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                back = threading.Thread(target=copy, args=(server, client))
                back.start()
                copy(client, server)
                back.join()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://me:pass%40word@127.0.0.1:{listening.getsockname()[1]}", asked
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def client(*bundles: str) -> Http:
    return Http(connections=1, context=tls_context(*bundles), connect_timeout_s=5, read_timeout_s=5, answer_timeout_s=5)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_and_proxies_of_the_environment_count(
    variable: str, certificate: Path, proxy: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, asked = proxy
    monkeypatch.setenv("HTTPS_PROXY", address)
    monkeypatch.setenv(variable, str(certificate))
    http = client()

    assert http.request("GET", f"https://{HOST}/a").data == b"hello"
    http.close()
    assert asked[0].startswith(b"CONNECT images.example:443 ")
    assert b"basic bWU6cGFzc0B3b3Jk".lower() in asked[0].lower(), "me:pass@word"


def test_tmdb_and_alerts_are_asked_with_the_same_certificates(
    certificate: Path, proxy: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy[0])
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    send_alert(SecretStr(f"https://{HOST}/hook"), "It failed.")
    assert proxy[1][0].startswith(b"CONNECT images.example:443 ")


def test_this_machines_webhook_is_asked_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    received: list[str] = []

    async def hook(request: Request) -> Response:
        received.append((await request.json())["text"])
        return Response()

    with serving(Starlette(routes=[Route("/hook", hook, methods=["POST"])])) as url:
        send_alert(SecretStr(f"{url}/hook"), "It failed.")
    assert received == ["It failed."]


def test_a_certificate_that_nobody_vouches_for_is_refused(
    proxy: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy[0])
    http = client()

    with pytest.raises(urllib3.exceptions.SSLError, match="self-signed"):
        http.request("GET", f"https://{HOST}/a")
    http.close()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8/a", "https://localhost/a", "http://[::1]:9/a", "http://127.9.9.9/a"]
)
def test_this_machine_is_never_asked_by_a_proxy(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://proxy.example:3128")

    assert proxy_for(url) is None


def test_other_hosts_are_but_for_those_of_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", ".intern.example")

    assert proxy_for("https://image.tmdb.org/t/p") == "http://proxy.example:3128"
    assert proxy_for("https://s3.intern.example/") is None
    assert proxy_for("http://image.tmdb.org/") is None


def test_a_bundle_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with pytest.raises(CertificatesUnreadable, match=r"missing\.pem .*REQUESTS_CA_BUNDLE"):
        tls_context()

    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(CertificatesUnreadable, match=r"empty\.pem"):
        tls_context(str(tmp_path / "empty.pem"))
