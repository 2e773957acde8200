"""A real S3 server: SeaweedFS, which checks signatures, policies and MD5."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tmdb_dagster.settings import REPOSITORY

ACCESS_KEY = "test-access-key"
SECRET_KEY = "test-secret-key"
_START_S = 60
_STOP_S = 15

# As an operator is told to write it.
_PUBLIC = (REPOSITORY / "docs/postgres.md").read_text("utf8").split("```json\n")[1].split("```")[0]


@dataclass(frozen=True)
class S3Server:
    """A running server, and who may write to it."""

    endpoint: str

    def client(self, **changes: Any) -> Any:
        """boto3, as this server's owner."""
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            **{"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY, **changes},
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                max_pool_connections=20,
                retries={"mode": "standard", "max_attempts": 1},
            ),
        )

    def new_bucket(self, *, public: bool = True) -> str:
        """An empty bucket, which anybody may read unless told otherwise."""
        bucket = f"images-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=bucket)
        if public:
            policy = _PUBLIC.replace("movie-images", bucket)
            self.client().put_bucket_policy(Bucket=bucket, Policy=policy)
        return bucket

    def variables(self, bucket: str, **changes: str) -> dict[str, str]:
        """The environment that leads to a bucket."""
        return {
            "MOVIE_IMAGES_STORE": "s3",
            "MOVIE_IMAGES_BUCKET": bucket,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            **changes,
        }


@contextmanager
def seaweed(folder: Path) -> Iterator[S3Server]:
    """A server whose data is in `folder`, until the block ends."""
    binary = Path(sys.executable).parent / "weed"
    ports = _free_ports(5)
    names = ("master.port", "volume.port", "filer.port", "s3.port", "admin.port")
    command = [str(binary), "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command += [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-admin.ui=false"]
    command += ["-master.telemetry=false", "-s3.autoCreateBucket=false", "-bucket=ready"]
    folder.mkdir(parents=True, exist_ok=True)
    server = S3Server(f"http://127.0.0.1:{ports[3]}")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={
                **os.environ,
                "AWS_ACCESS_KEY_ID": ACCESS_KEY,
                "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
                "TMPDIR": str(folder),  # its logs go there
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for_a_put(server, process)
        yield server
    finally:
        _stop(process)
        for port in (port + offset for port in ports for offset in (0, 10_000)):
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108 - where it puts its sockets
                left.unlink()
        shutil.rmtree(folder, ignore_errors=True)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for_a_put(server: S3Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    client = server.client()
    while True:
        try:
            client.put_object(Bucket="ready", Key="ready", Body=b"ready")
        except (BotoCoreError, ClientError):
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.1)
        else:
            return


def _free_ports(count: int) -> list[int]:
    """Ports that are free, and 10,000 above them, where gRPC listens, as well."""
    ports: list[int] = []
    while len(ports) < count:
        with socket.socket() as low, socket.socket() as high:
            low.bind(("127.0.0.1", 0))
            port = low.getsockname()[1]
            try:
                # Ephemeral ports are high: both are moved below them.
                high.bind(("127.0.0.1", port - 10_000))
            except OSError:
                continue
        if port - 10_000 > 1024 and not {port, port - 10_000}.intersection(ports):
            ports.append(port - 10_000)
    return ports
