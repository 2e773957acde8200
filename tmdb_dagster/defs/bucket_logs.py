"""What runs print, in a bucket of S3 or of what speaks its protocol; imported only where the settings name one."""

from __future__ import annotations

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from dagster._serdes import ConfigurableClassData
from dagster_aws.s3 import S3ComputeLogManager

from tmdb_dagster.images.s3 import client_config
from tmdb_dagster.settings import Settings

UPLOAD_EVERY_S = 30
"""So much of what a killed run printed is lost at most."""


_PROBE = "doctor/probe"


class BucketComputeLogManager(S3ComputeLogManager):
    """S3ComputeLogManager with the endpoint and the credentials of the settings."""

    def __init__(self, settings: Settings, bucket: str, inst_data: ConfigurableClassData | None) -> None:
        super().__init__(
            bucket, inst_data=inst_data, upload_interval=UPLOAD_EVERY_S, endpoint_url=settings.aws_endpoint_url_s3
        )
        session = boto3.session.Session(region_name=settings.s3_region, **settings.s3_credentials)
        self._s3_session = session.client(
            "s3",
            endpoint_url=settings.aws_endpoint_url_s3,
            config=client_config(settings.aws_endpoint_url_s3),
        )

    def problem(self) -> str | None:
        """What keeps us from writing to the bucket and removing from it, with what to do."""
        try:
            self._s3_session.put_object(Bucket=self._s3_bucket, Key=_PROBE, Body=b"probe")
            self._s3_session.delete_object(Bucket=self._s3_bucket, Key=_PROBE)
        except (BotoCoreError, ClientError) as error:
            return (
                f"what runs print is lost: s3://{self._s3_bucket} cannot be written to ({error}). Correct "
                "COMPUTE_LOGS_BUCKET, AWS_ENDPOINT_URL_S3 or the S3 keys, or create the bucket."
            )
        return None
