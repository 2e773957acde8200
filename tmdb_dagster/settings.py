"""Every setting of the product, read from the environment and from a `.env` file, here and nowhere else."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.exceptions import SettingsError as PydanticSettingsError

from tmdb_dagster.codes import country, language
from tmdb_dagster.database_url import read_database_url
from tmdb_dagster.errors import TmdbDagsterError
from tmdb_dagster.logs import LogFormat
from tmdb_dagster.rate_limit import RateLimit, parse_rate_limit
from tmdb_dagster.redaction import redact, secrets_of_address

REPOSITORY = Path(__file__).resolve().parents[1]

TMDB_API_URL = "https://api.themoviedb.org/3"
TMDB_IMAGE_URL = "https://image.tmdb.org/t/p"
YOUTUBE_IMAGE_URL = "https://img.youtube.com/vi"
SECRETS = Path("/run/secrets")

Network = IPv4Network | IPv6Network

MOST_CALLS_AT_ONCE = 20


def calls_at_once(limit: RateLimit | None) -> int:
    """How many calls in flight a limit is worth: a window that allows fewer would have them wait."""
    return MOST_CALLS_AT_ONCE if limit is None else min(MOST_CALLS_AT_ONCE, limit.calls)


class SettingsError(TmdbDagsterError):
    """A setting is missing or malformed; the text names the environment variable."""

    permanent = True


class _SecretFiles(SecretsSettingsSource):
    """The files of a folder, each called after its variable, as containers and systemd hand out secrets."""

    def __call__(self) -> dict[str, Any]:
        folder = Path(self.current_state.get("tmdb_dagster_secrets", SECRETS))
        if not folder.is_dir():
            return {}
        self.secrets_dir = folder
        try:
            return {name: value for name, value in super().__call__().items() if value != ""}
        except PydanticSettingsError as error:
            name = str(error).split('"')[1].upper()
            reason = getattr(error.__cause__, "strerror", None) or "it is not UTF-8 text"
            raise SettingsError(f"Settings: {name}: its file in {folder} cannot be read: {reason}.") from None


class Settings(BaseSettings):
    """The product's settings; each field's alias is its environment variable.

    Raises SettingsError from `load_settings`, not from the constructor.
    """

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    tmdb_api_key: SecretStr | None = Field(
        None, description="TMDB v3 API key. Without it and without a token the sandbox answers."
    )
    tmdb_read_access_token: SecretStr | None = Field(
        None, description="TMDB API Read Access Token; preferred, since it stays out of URLs."
    )
    tmdb_api_url: str = Field(TMDB_API_URL, description="Base URL of the TMDB API.")
    tmdb_image_url: str = Field(TMDB_IMAGE_URL, description="Base URL of TMDB's images.")
    youtube_image_url: str = Field(YOUTUBE_IMAGE_URL, description="Base URL of YouTube's thumbnails.")
    sandbox_day: date | None = Field(None, description="Day at which the sandbox stands still; none: it moves.")
    tmdb_rate_limit: Annotated[RateLimit | None, NoDecode] = Field(
        RateLimit(40, 10),
        validate_default=False,
        description="Calls in any window, as `40/10s`, shared by all runs; `unlimited` for none.",
    )
    tmdb_language: str = Field("en-US", description="Language of titles and texts.")
    tmdb_language_fallback: str = Field(
        "en-US", description="Language of titles and texts that are empty; after it comes the original language."
    )
    tmdb_region: str | None = Field(
        None, description="Region (ISO 3166-1) of the popular and now playing lists; none: TMDB's default."
    )
    tmdb_watch_regions: Annotated[tuple[str, ...], NoDecode] = Field(
        ("US",), description="Regions whose watch providers are kept, separated by commas."
    )
    tmdb_certification_country: str = Field("US", description="Country whose certification a movie shows.")
    ingest_include_adult: bool = Field(
        False, description="Whether discovery and requests bring movies that TMDB calls adult or softcore."
    )
    ingest_min_votes: int = Field(0, ge=0, description="Fewest votes of a movie that discovery or a request brings.")
    ingest_languages: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Original languages (ISO 639-1) of movies that discovery or a request brings, separated by commas; "
        "unset: all.",
    )
    tmdb_concurrency: int = Field(
        default_factory=lambda data: calls_at_once(data["tmdb_rate_limit"]),
        ge=1,
        le=MOST_CALLS_AT_ONCE,
        description="Calls in flight in one run, 1 to 20; unset: as many as a window of the limit allows.",
    )
    database_url: SecretStr | None = Field(
        None, description="Postgres of the catalogue; unset: an embedded Postgres in the state folder."
    )
    database_schema: str = Field(
        "public", max_length=63, pattern=r"^[a-z_][a-z0-9_]*$", description="Schema of the catalogue's tables."
    )
    dagster_database_url: SecretStr | None = Field(
        None, description="Postgres of Dagster's own runs and events; unset: the embedded one."
    )
    movie_images_store: Literal["local", "s3", "none"] = Field(
        "local", description="Where images are rehosted: `local` folder, `s3`, or `none` (they stay at TMDB)."
    )
    movie_images_bucket: str = Field("movie-images", description="Bucket of the images.")
    movie_images_public_url: str | None = Field(
        None, description="Base URL at which anybody reads the images; unset: the provider's, or the local server's."
    )
    movie_images_folder: Path | None = Field(
        None, description="Folder of the local store; unset: one in the state folder."
    )
    movie_images_concurrency: int = Field(16, ge=1, le=20, description="Images under way in one run, 1 to 20.")
    image_allowed_networks: Annotated[tuple[Network, ...], NoDecode] = Field(
        (),
        description="Private networks in which image hosts may be, as `198.18.0.0/15`, separated by commas: "
        "tunnels and VPNs give hosts such addresses.",
    )
    compute_logs_bucket: str | None = Field(
        None, description="Bucket of what runs print, for the UI; unset: files in the state folder."
    )
    aws_endpoint_url_s3: str | None = Field(None, description="S3 endpoint; unset: AWS.")
    aws_region: str | None = Field(None, description="Region of the bucket; Supabase wants the project's own.")
    aws_default_region: str | None = Field(None, description="The same, where AWS_REGION is not set.")
    aws_access_key_id: SecretStr | None = Field(None, description="S3 access key.")
    aws_secret_access_key: SecretStr | None = Field(None, description="S3 secret key.")
    aws_session_token: SecretStr | None = Field(None, description="Token of temporary S3 credentials.")
    celery_broker_url: SecretStr | None = Field(None, description="Broker by which runs go to Celery workers.")
    celery_result_backend: SecretStr | None = Field(None, description="Where Celery keeps how its tasks ended.")
    alert_webhook_url: SecretStr | None = Field(
        None, description='Address that is told of failed runs, by a POST of `{"text": ...}`; unset: nobody is.'
    )
    retention_log_days: int = Field(
        90, ge=1, le=36500, description="Days that logged calls, finished queue entries and closed batches are kept."
    )
    retention_history_days: int = Field(
        365, ge=1, le=36500, description="Days that list snapshots and the log of runs are kept."
    )
    retention_run_days: int = Field(
        90, ge=1, le=36500, description="Days that Dagster's own runs and their events are kept."
    )
    log_format: LogFormat = Field("text", description="Form of our log lines: `text` (key=value) or `json`.")
    tmdb_dagster_env: Literal["local", "production"] = Field(
        "local", description="In `production` nothing is provided: a service that is not set is an error."
    )
    tmdb_dagster_secrets: Path = Field(
        SECRETS, description="Folder of files that hold settings, each called after its variable."
    )
    tmdb_dagster_state: Path = Field(
        default_factory=lambda: Path(".tmdb_dagster").absolute(),
        description="Folder of all local state: embedded Postgres, logs. In production there is none unless it is set.",
    )
    dagster_home: Path | None = Field(
        None, description="Folder with the dagster.yaml to use; unset: one in the state folder, with the package's own."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic passes it by name
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments go before the environment, that before `.env`, and that before files of secrets."""
        return init_settings, env_settings, dotenv_settings, _SecretFiles(settings_cls)

    @field_validator("tmdb_dagster_state", "dagster_home")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        """Other processes, which get these folders from us, may start elsewhere."""
        return None if value is None else value.expanduser().absolute()

    @field_validator("tmdb_rate_limit", mode="before")
    @classmethod
    def _parse_rate_limit(cls, value: object) -> object:
        return parse_rate_limit(value) if isinstance(value, str) else value

    @field_validator("tmdb_watch_regions", mode="before")
    @classmethod
    def _split_regions(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        regions = tuple(country(part) for part in value.split(",") if part.strip())
        if not regions:
            raise ValueError("expected two-letter country codes separated by commas, such as `US,DE`")
        return regions

    @field_validator("ingest_languages", mode="before")
    @classmethod
    def _split_languages(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        languages = tuple(language(part) for part in value.split(",") if part.strip())
        if not languages or any("-" in code for code in languages):
            raise ValueError("expected languages alone (ISO 639-1), separated by commas, such as `en,ja`")
        return languages

    @field_validator("tmdb_region", "tmdb_certification_country")
    @classmethod
    def _check_region(cls, value: str | None) -> str | None:
        return None if value is None else country(value)

    @field_validator("tmdb_language", "tmdb_language_fallback")
    @classmethod
    def _check_language(cls, value: str) -> str:
        return language(value)

    @field_validator("movie_images_bucket", "compute_logs_bucket")
    @classmethod
    def _check_bucket(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,98}[A-Za-z0-9]", value):
            raise ValueError("expected the name of a bucket alone, of letters, digits, `.`, `-` and `_`")
        return value

    @field_validator("image_allowed_networks", mode="before")
    @classmethod
    def _split_networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
        except ValueError as error:
            raise ValueError(f"expected networks separated by commas, such as `198.18.0.0/15`: {error}") from error

    @field_validator(
        "tmdb_api_url", "tmdb_image_url", "youtube_image_url", "movie_images_public_url", "aws_endpoint_url_s3"
    )
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        _check_http(value)
        if "?" in value or "#" in value:
            raise ValueError("expected an http:// or https:// address without a query")
        return value.rstrip("/")

    @field_validator("tmdb_api_url")
    @classmethod
    def _check_version(cls, value: str) -> str:
        if urlsplit(value).hostname in ("api.themoviedb.org", "api.tmdb.org") and urlsplit(value).path != "/3":
            raise ValueError(f"TMDB's API is at `{TMDB_API_URL}`: the path is /3")
        return value

    @field_validator("alert_webhook_url")
    @classmethod
    def _check_webhook(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _check_http(value.get_secret_value())
        return value

    @field_validator("database_url", "dagster_database_url")
    @classmethod
    def _read_database_url(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None else SecretStr(read_database_url(value.get_secret_value()))

    @model_validator(mode="after")
    def _check_bucket_of_aws(self) -> Settings:
        aws = self.movie_images_store == "s3" and self.aws_endpoint_url_s3 is None
        if aws and not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", self.movie_images_bucket):
            raise ValueError(
                "MOVIE_IMAGES_BUCKET: a bucket of AWS has 3 to 63 lower-case letters, digits, `.` and `-`; for another "
                "provider set AWS_ENDPOINT_URL_S3"
            )
        return self

    @model_validator(mode="after")
    def _keep_logs_apart(self) -> Settings:
        if self.movie_images_store == "s3" and self.compute_logs_bucket == self.movie_images_bucket:
            raise ValueError("COMPUTE_LOGS_BUCKET is the bucket of the images, which anybody reads: name another one")
        return self

    @model_validator(mode="after")
    def _require_a_key_for_a_given_url(self) -> Settings:
        if not self.has_key and self.tmdb_api_url != TMDB_API_URL:
            raise ValueError(
                "TMDB_API_URL is set, but neither TMDB_READ_ACCESS_TOKEN nor TMDB_API_KEY is: set one of them, "
                "or unset TMDB_API_URL to use the sandbox"
            )
        return self

    @model_validator(mode="after")
    def _require_an_address_for_a_given_folder(self) -> Settings:
        if self.movie_images_folder is not None and self.movie_images_public_url is None:
            raise ValueError("MOVIE_IMAGES_FOLDER is set: set MOVIE_IMAGES_PUBLIC_URL, too, to where it can be read")
        return self

    @property
    def has_key(self) -> bool:
        """Whether TMDB can be asked; if not, the sandbox is."""
        return self.tmdb_api_key is not None or self.tmdb_read_access_token is not None

    @property
    def keeps_files(self) -> bool:
        """Whether there is a state folder: in production only one that is named."""
        return self.tmdb_dagster_env == "local" or "tmdb_dagster_state" in self.model_fields_set

    @property
    def s3_region(self) -> str | None:
        """The region of the buckets; None: boto3 looks for it in its own places."""
        return self.aws_region or self.aws_default_region

    @property
    def s3_credentials(self) -> dict[str, str]:
        """What is set of the S3 credentials, by the names that boto3's sessions have for them."""
        keys = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
        secrets: dict[str, SecretStr | None] = {name: getattr(self, name) for name in keys}
        return {name: secret.get_secret_value() for name, secret in secrets.items() if secret is not None}

    @cached_property
    def _secrets(self) -> frozenset[str]:
        """Every secret that this process knows: of settings, and of the environment's proxies and database."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        found = set()
        for name, value in values.items():
            text = value.get_secret_value() if isinstance(value, SecretStr) else value
            if isinstance(text, str) and name.endswith(("_url", "_url_s3")):
                found |= secrets_of_address(text, path=name == "alert_webhook_url")
            elif isinstance(value, SecretStr):
                found |= {value.get_secret_value().strip()}
        for name, text in os.environ.items():
            if name.lower().endswith("_proxy"):
                found |= secrets_of_address(text)
        return frozenset(found | {os.environ.get("PGPASSWORD", "")})

    def redact(self, text: str) -> str:
        """The text without any of the secrets, in whatever form they stand in it."""
        return redact(text, self._secrets)


def _check_http(url: str) -> None:
    """Raise ValueError for what no http:// or https:// address can be."""
    try:
        parts = urlsplit(url)
        host = None if parts.netloc.endswith(":") or parts.port == 0 else parts.hostname
    except ValueError:
        host = None
    if not re.fullmatch(r"https?://[!-~]+", url) or not re.fullmatch(r"[\w.-]+|[0-9a-f:.]+", host or ""):
        raise ValueError("expected an http:// or https:// address")


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process, with `overrides` by field name.

    Raises SettingsError, which names each variable that is wrong and never shows a value.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = []
        for item in error.errors(include_input=False, include_url=False, include_context=False):
            if item["type"] == "default_factory_not_called":
                continue  # it follows another setting, which is wrong
            name = "".join(str(part).upper() for part in item["loc"][:1])
            problems.append(f"{name}: {item['msg']}".removeprefix(": "))
        text = "; ".join(problem.replace("Value error, ", "") for problem in problems)
        raise SettingsError(f"Settings: {text}. Correct the environment or the .env file.") from None


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Set variables of this process for a while, for libraries that can be told in no other way."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
