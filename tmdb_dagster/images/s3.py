"""S3 and what speaks its protocol: AWS, Supabase Storage, R2, MinIO, SeaweedFS."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import (
    ConnectionError as EndpointUnreachable,
)

from tmdb_dagster.images.errors import StoreError, StoreRefused, StoreUnavailable
from tmdb_dagster.images.stores import CACHE_CONTROL
from tmdb_dagster.settings import Settings

_PROBE = "doctor/probe.jpg"
_SUPABASE = re.compile(r"https://([a-z0-9-]+)\.storage\.supabase\.co/storage/v1/s3")
_T = TypeVar("_T")


class S3Store:
    """A bucket. The client is made at the first use: a run that moves no image does not pay for it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bucket = settings.movie_images_bucket
        self._endpoint = settings.aws_endpoint_url_s3
        self._region = settings.aws_region or settings.aws_default_region
        self._lock = threading.Lock()
        self._made: Any = None

    @property
    def name(self) -> str:
        """The bucket and its endpoint."""
        return f"s3://{self._bucket} at {self._endpoint or 'AWS'}"

    def public_url(self, key: str) -> str:
        """The file's public address: below MOVIE_IMAGES_PUBLIC_URL, or where the provider has it."""
        return f"{self._public_base()}/{key}"

    def put(self, key: str, content: bytes) -> None:
        """Store the file; the server checks its MD5, so that half a file is never kept."""
        digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        self._call(
            lambda s3: s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=content,
                ContentMD5=digest,
                ContentType="image/jpeg",
                CacheControl=CACHE_CONTROL,
            )
        )

    def delete(self, key: str) -> None:
        """Remove the file."""
        self._call(lambda s3: s3.delete_object(Bucket=self._bucket, Key=key))

    def pages(self) -> Iterator[Sequence[str]]:
        """All keys of the bucket."""
        after: dict[str, str] = {}
        while True:
            page = self._call(lambda s3: s3.list_objects_v2(Bucket=self._bucket, **after))  # noqa: B023 - called at once
            if keys := [item["Key"] for item in page.get("Contents", ())]:
                yield keys
            if not page.get("IsTruncated"):
                return
            after = {"ContinuationToken": page["NextContinuationToken"]}

    def problems(self) -> list[str]:
        """What is wrong with the bucket, the credentials or the rights."""
        try:
            self._call(lambda s3: s3.head_bucket(Bucket=self._bucket))
        except StoreError as error:
            if "no such bucket" in str(error) or isinstance(error, StoreUnavailable):
                return [str(error)]
        try:
            self.put(_PROBE, b"probe")
        except StoreError as error:
            return [str(error)]
        found = [problem] if (problem := self._public_problem()) else []
        try:
            self.delete(_PROBE)
            next(self.pages(), None)
        except StoreError as error:
            found.append(f"{error} Files can be written, but not listed and removed, which repair and purge need.")
        return found

    def _public_problem(self) -> str | None:
        url = self.public_url(_PROBE)
        fix = (
            f"Let anybody read the bucket {self._bucket} (s3:GetObject on its objects), or set MOVIE_IMAGES_PUBLIC_URL."
        )
        try:
            answer = urllib3.request("GET", url, retries=False, timeout=10.0)
        except urllib3.exceptions.HTTPError as error:
            return f"{url}: no answer ({error}). Is MOVIE_IMAGES_PUBLIC_URL right?"
        if answer.status != 200:
            return f"{url}: answered {answer.status} to an anonymous reader. {fix}"
        if answer.data != b"probe" or not answer.headers.get("Content-Type", "").startswith("image/jpeg"):
            return f"{url}: what anybody reads there is not what was stored. Is MOVIE_IMAGES_PUBLIC_URL right?"
        return None

    def _public_base(self) -> str:
        if self._settings.movie_images_public_url:
            return self._settings.movie_images_public_url
        if not self._endpoint:
            return f"https://{self._bucket}.s3.{self._region or 'us-east-1'}.amazonaws.com"
        if found := _SUPABASE.fullmatch(self._endpoint):
            return f"https://{found[1]}.supabase.co/storage/v1/object/public/{self._bucket}"
        return f"{self._endpoint}/{self._bucket}"

    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                self._made = self._make_client()
            return self._made

    def _make_client(self) -> Any:
        settings = self._settings
        secret = {
            "aws_access_key_id": settings.aws_access_key_id,
            "aws_secret_access_key": settings.aws_secret_access_key,
            "aws_session_token": settings.aws_session_token,
        }
        # What is not set, boto3 finds in its own places: profiles, roles of the machine.
        session = boto3.session.Session(
            region_name=self._region,
            **{name: value.get_secret_value() for name, value in secret.items() if value is not None},
        )
        return session.client(
            "s3",
            endpoint_url=self._endpoint,
            region_name=session.region_name or "us-east-1",
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path" if self._endpoint else "auto"},
                # Other servers than AWS choke on the newer checksums; MD5 does.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                max_pool_connections=settings.movie_images_concurrency,
                connect_timeout=5,
                read_timeout=20,
                retries={"mode": "standard", "max_attempts": 3},
            ),
        )

    def _call(self, deed: Callable[[Any], _T]) -> _T:
        try:
            return deed(self._client())
        except ClientError as error:
            raise self._refusal(error) from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise StoreRefused(
                "There are no S3 credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            ) from error
        except (HTTPClientError, EndpointUnreachable) as error:
            raise StoreUnavailable(f"{self.name} does not answer ({error}). Check AWS_ENDPOINT_URL_S3.") from error
        except BotoCoreError as error:
            raise StoreRefused(f"{self.name}: {error}") from error

    def _refusal(self, error: ClientError) -> StoreError:
        """By HTTP status: not every server fills in Error.Code."""
        answer: dict[str, Any] = dict(error.response)
        about = answer.get("ResponseMetadata", {})
        status, code = about.get("HTTPStatusCode", 0), answer.get("Error", {}).get("Code", "")
        region = about.get("HTTPHeaders", {}).get("x-amz-bucket-region") or answer.get("Error", {}).get("Region")
        if status in (301, 307, 400) and (region or code in ("AuthorizationHeaderMalformed", "PermanentRedirect")):
            return StoreRefused(
                f"{self.name} is in {f'the region {region}' if region else 'another region'}, not in "
                f"{self._region or 'us-east-1'}: set AWS_REGION."
            )
        if status == 404:
            return StoreRefused(
                f"{self.name}: no such bucket. Create it, or set MOVIE_IMAGES_BUCKET and AWS_ENDPOINT_URL_S3."
            )
        if status in (401, 403):
            return StoreRefused(
                f"{self.name} refuses ({code or status}): check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that "
                "the key may list the bucket and read, write and delete its objects."
            )
        text = f"{self.name} answered {status} {code}".rstrip()
        return StoreUnavailable(f"{text}.") if status >= 500 or status == 429 else StoreRefused(f"{text}: {error}")
