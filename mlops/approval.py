"""Which artifacts may be loaded: their hash, signed with a key that the registry does not have."""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings

from mlops.cache import digest
from mlops.models import ModelApproval

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Refused(Exception):
    """A version that must not be loaded; the message says why."""


def approve(
    *,
    name: str,
    version: int,
    artifact: bytes,
    task: str,
    sensor_kind: str,
    detector: str,
    dataset: str,
    now: datetime,
    person: User | None = None,
) -> ModelApproval:
    """Let this artifact be loaded as that version, and as no other."""
    sha256 = digest(artifact)
    return ModelApproval.objects.create(
        name=name,
        version=version,
        task=task,
        sensor_kind=sensor_kind,
        detector=detector,
        dataset=dataset,
        sha256=sha256,
        signature=signature(name, version, sha256),
        approved_by=person,
        approved_at=now,
    )


def revoke(*, approval: ModelApproval, now: datetime) -> None:
    """From now on the version is refused, also where it is cached."""
    approval.revoked_at = now
    approval.save(update_fields=["revoked_at"])


def signature(name: str, version: int, sha256: str) -> str:
    """HMAC-SHA256 over name, version and hash by MODEL_SIGNING_KEY, in hexadecimal."""
    message = f"{name}\n{version}\n{sha256}".encode()
    return hmac.digest(settings.MODEL_SIGNING_KEY.encode(), message, "sha256").hex()


def check_approval(approval: ModelApproval | None, name: str, version: int) -> ModelApproval:
    """The approval itself if it stands and its signature is ours, else Refused."""
    if approval is None:
        raise Refused(f"{name} v{version} was never approved")
    if approval.revoked_at is not None:
        raise Refused(f"the approval of {name} v{version} was revoked")
    if not hmac.compare_digest(approval.signature, signature(name, version, approval.sha256)):
        raise Refused(f"the signature of {name} v{version} is not ours")
    return approval


def check_artifact(approval: ModelApproval, artifact: bytes) -> None:
    """Refused unless these are the bytes that were approved."""
    if not hmac.compare_digest(digest(artifact), approval.sha256):
        raise Refused(f"the artifact of {approval} is not the one that was approved")
