"""S3 and what speaks its protocol: AWS, Supabase Storage, R2, MinIO, SeaweedFS.

boto3 makes and reads the requests, and they are sent by the rule of `outgoing.py`; most uploads go a shorter way.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import boto3
import botocore.session
import urllib3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    MetadataRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
)

from tmdb_dagster.images.errors import StoreError, StoreRefused, StoreUnavailable
from tmdb_dagster.images.stores import CACHE_CONTROL, pages_of
from tmdb_dagster.images.uploads import ShortWay
from tmdb_dagster.outgoing import CertificatesUnreadable, Http, reason, tls_context

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 20.0

ANSWER_TIMEOUT_S = 20.0
"""For one answer as a whole."""

_ATTEMPTS = 3
_ERROR = re.compile(rb"<([\w.-]+:)?Error[\s>]")
_PAGES_WITHOUT_KEYS = 100
"""So many in a row, and a listing has no end."""

_NO_CREDENTIALS = "There are no S3 credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
_PROBE = "doctor/probe.jpg"
_SUPABASE = re.compile(r"https://([a-z0-9-]+)\.storage\.supabase\.co/storage/v1/s3")
_T = TypeVar("_T")


def client_config(endpoint: str | None) -> Config:
    """How boto3 is to speak to AWS, or to another server at `endpoint`."""
    return Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if endpoint else "auto", "payload_signing_enabled": True},
        # Other servers than AWS choke on the newer checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
    )


class S3Store:
    """A bucket, at AWS where no `endpoint` is given; what it shows is read at `public_url`, or the provider's address.

    `credentials` are boto3's, by the names that its Session has for them; what is not given, boto3 finds in its own
    places: profiles, roles of the machine. Session and client are made at the first use: a run that moves no image
    does not pay for them.
    """

    def __init__(  # noqa: PLR0913 - what a bucket has, by keyword
        self,
        bucket: str,
        *,
        endpoint: str | None,
        region: str | None,
        credentials: Mapping[str, str],
        public_url: str | None,
        connections: int,
    ) -> None:
        self._bucket = bucket
        self._endpoint = endpoint
        self._region = region
        self._credentials = credentials
        self._public_url = public_url
        self._connections = connections
        self._lock = threading.Lock()
        self._core = botocore.session.get_session()
        self._made: Any = None
        self._opened: Any = None
        self._http: Http | None = None
        self._quick: ShortWay | None = None

    @property
    def name(self) -> str:
        """The bucket and its endpoint."""
        return f"s3://{self._bucket} at {self._endpoint or 'AWS'}"

    def public_url(self, key: str) -> str:
        """The file's public address: below MOVIE_IMAGES_PUBLIC_URL, or where the provider has it."""
        return f"{self._public_base()}/{key}"

    def put(self, key: str, content: bytes) -> None:
        """Store the file; its SHA-256 is signed, so that the server keeps it whole or not at all."""
        with self._named_errors():
            short_way = self._short_way()
        if short_way.put(key, content):
            return
        self._call(
            lambda s3: s3.put_object(
                Bucket=self._bucket, Key=key, Body=content, ContentType="image/jpeg", CacheControl=CACHE_CONTROL
            )
        )
        short_way.doubt()

    def _short_way(self) -> ShortWay:
        session, region = self._session(), self._region_name()
        credentials = session.get_credentials()
        if credentials is None:
            raise StoreRefused(_NO_CREDENTIALS)
        with self._lock:
            if self._quick is None:
                self._quick = ShortWay(
                    self._bucket,
                    endpoint=self._endpoint,
                    region=region,
                    credentials=credentials.get_frozen_credentials,
                    connect_timeout_s=CONNECT_TIMEOUT_S,
                    answer_timeout_s=ANSWER_TIMEOUT_S,
                )
            return self._quick

    def delete(self, key: str) -> None:
        """Remove the file."""
        self._call(lambda s3: s3.delete_object(Bucket=self._bucket, Key=key))

    def pages(self) -> Iterator[Sequence[str]]:
        """All keys of the bucket; a listing that has no end is refused."""
        return pages_of(self._keys())

    def _keys(self) -> set[str]:
        keys: set[str] = set()
        tokens: set[str] = set()
        after: dict[str, str] = {}
        barren = 0
        while True:
            page = self._call(lambda s3: s3.list_objects_v2(Bucket=self._bucket, **after))  # noqa: B023 - called at once
            if "IsTruncated" not in page:
                raise self._no_listing("it answers with something else")
            known = len(keys)
            keys.update(item["Key"] for item in page.get("Contents", ()))
            if not page["IsTruncated"]:
                return keys
            token = page.get("NextContinuationToken")
            barren = 0 if len(keys) > known else barren + 1
            if not token:
                raise self._no_listing("it is cut off, and does not say how it goes on")
            if token in tokens or barren >= _PAGES_WITHOUT_KEYS:
                raise self._no_listing("it goes round in circles")
            tokens.add(token)
            after = {"ContinuationToken": token}

    def _no_listing(self, why: str) -> StoreRefused:
        return StoreRefused(
            f"{self.name}: the listing of the bucket cannot be relied on: {why}. Ask whoever runs the server; "
            "repair_images without `verify` needs no listing."
        )

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
            answer = self._sender().request("GET", url)
            content = answer.data
        except urllib3.exceptions.HTTPError as error:
            return f"{url}: no answer ({error}). Is MOVIE_IMAGES_PUBLIC_URL right?"
        if answer.status != 200:
            return f"{url}: answered {answer.status} to an anonymous reader. {fix}"
        if content != b"probe" or not answer.headers.get("Content-Type", "").startswith("image/jpeg"):
            return f"{url}: what anybody reads there is not what was stored. Is MOVIE_IMAGES_PUBLIC_URL right?"
        return None

    def _public_base(self) -> str:
        if self._public_url:
            return self._public_url
        if not self._endpoint:
            return f"https://{self._bucket}.s3.{self._region_name()}.amazonaws.com"
        if found := _SUPABASE.fullmatch(self._endpoint):
            return f"https://{found[1]}.supabase.co/storage/v1/object/public/{self._bucket}"
        return f"{self._endpoint}/{self._bucket}"

    def _session(self) -> Any:
        with self._lock:
            if self._opened is None:
                self._opened = boto3.session.Session(
                    botocore_session=self._core, region_name=self._region, **self._credentials
                )
            return self._opened

    def _region_name(self) -> str:
        return self._region or self._session().region_name or "us-east-1"

    def _client(self) -> Any:
        session, region = self._session(), self._region_name()
        with self._lock:
            if self._made is None:
                self._made = self._make_client(session, region)
            return self._made

    def _make_client(self, session: Any, region: str) -> Any:
        client = session.client(
            "s3",
            endpoint_url=self._endpoint,
            region_name=region,
            config=client_config(self._endpoint),
        )
        client.meta.events.register("before-send.s3", self._send)
        return client

    def _sender(self) -> Http:
        with self._lock:
            if self._http is None:
                self._http = Http(
                    connections=self._connections,
                    context=tls_context(self._core.get_config_variable("ca_bundle")),
                    connect_timeout_s=CONNECT_TIMEOUT_S,
                    read_timeout_s=READ_TIMEOUT_S,
                    answer_timeout_s=ANSWER_TIMEOUT_S,
                )
            return self._http

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        """Send a request in botocore's place."""
        headers = {
            name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()
        }
        try:
            answer = self._sender().request(request.method, request.url, body=request.body, headers=headers)
            response = AWSResponse(request.url, answer.status, answer.headers, answer)
            content = response.content
        except urllib3.exceptions.HTTPError as error:
            raise HTTPClientError(error=reason(error)) from error
        # S3 answers a PUT with nothing: an error may be told as 200, and so may some gateway's page.
        if answer.status == 200 and (_ERROR.search(content, 0, 1000) or (request.method == "PUT" and content.strip())):
            response.status_code = 500
        return response

    def _call(self, request: Callable[[Any], _T]) -> _T:
        with self._named_errors():
            return request(self._client())

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """What botocore raises, as our errors."""
        try:
            yield
        except ClientError as error:
            answer: dict[str, Any] = dict(error.response)
            about, told = answer.get("ResponseMetadata", {}), answer.get("Error", {})
            region = about.get("HTTPHeaders", {}).get("x-amz-bucket-region") or told.get("Region")
            raise self._refusal(about.get("HTTPStatusCode", 0), told.get("Code", ""), region) from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise StoreRefused(_NO_CREDENTIALS) from error
        except (HTTPClientError, MetadataRetrievalError) as error:
            why = error.kwargs.get("error") or error
            raise StoreUnavailable(f"{self.name} does not answer ({why}). Check AWS_ENDPOINT_URL_S3.") from error
        except (BotoCoreError, CertificatesUnreadable) as error:
            raise StoreRefused(f"{self.name}: {error}") from error

    def _refusal(self, status: int, code: str, region: str | None) -> StoreError:
        """By HTTP status: not every server tells a code."""
        if status in (301, 307, 400) and (region or code in ("AuthorizationHeaderMalformed", "PermanentRedirect")):
            return StoreRefused(
                f"{self.name} is in {f'the region {region}' if region else 'another region'}, not in "
                f"{self._region_name()}: set AWS_REGION."
            )
        if status == 404:
            return StoreRefused(
                f"{self.name}: no such bucket. Create it, or set MOVIE_IMAGES_BUCKET and AWS_ENDPOINT_URL_S3."
            )
        if code == "RequestTimeTooSkewed":
            return StoreRefused(f"{self.name} refuses: the clock of this machine is wrong.")
        if status in (401, 403):
            return StoreRefused(
                f"{self.name} refuses ({code or status}): check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that "
                "the key may list the bucket and read, write and delete its objects."
            )
        text = f"{self.name} answered {status} {code}".rstrip()
        passing = status >= 500 or status in (408, 429) or code == "RequestTimeout"
        return StoreUnavailable(f"{text}.") if passing else StoreRefused(f"{text}.")
