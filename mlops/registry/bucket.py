"""Files straight from a bucket, where MLflow does not hand them through."""

from __future__ import annotations

import os

from mlops.registry import web
from mlops.registry.errors import NotRegistered, RegistryAway, brief

_SIGNED_FOR_S = 300


def read(bucket: str, key: str, wait: web.Wait | None) -> bytes:
    """By a signed address, so that the answer is waited for as any other is."""
    try:
        return web.get(
            _address(bucket, key),
            {},
            who=f"the bucket {bucket}",
            headers={},
            wait=wait or web.patient(),
        )
    except NotRegistered as error:
        raise NotRegistered(f"s3://{bucket}/{key} does not exist") from error


def _address(bucket: str, key: str) -> str:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    endpoint = os.environ.get("MLFLOW_S3_ENDPOINT_URL") or None
    try:
        client = boto3.client("s3", endpoint_url=endpoint, config=Config(signature_version="s3v4"))
        what = {"Bucket": bucket, "Key": key}
        return str(client.generate_presigned_url("get_object", what, ExpiresIn=_SIGNED_FOR_S))
    except BotoCoreError as error:
        raise RegistryAway(f"the bucket {bucket} cannot be asked: {brief(error)}") from error
