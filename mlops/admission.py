"""Approving a version that somebody registered: looked at first, then signed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from mlops import artifacts, registry
from mlops.approval import Refused, approve
from mlops.models import ModelApproval

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def admit(name: str, version: int, *, now: datetime, person: User | None = None) -> ModelApproval:
    """The approval of a registered version whose artifact this release can read; again, if it was
    revoked. Refused for what it cannot read; NotRegistered, RegistryAway."""
    tags = next(
        (each["tags"] for each in registry.versions([name]) if each["version"] == version), None
    )
    if tags is None:
        raise registry.NotRegistered(f"{name} has no version {version}")
    artifact = registry.download(name, version)
    try:
        model = artifacts.unpack(artifact)
    except artifacts.Malformed as error:
        raise Refused(f"{name} v{version} cannot be approved: {error}") from error
    ModelApproval.objects.filter(name=name, version=version).delete()
    return approve(
        name=name,
        version=version,
        artifact=artifact,
        task=tags.get("task", ""),
        sensor_kind=tags.get("sensor_kind", ""),
        detector=model.name,
        dataset=tags.get("dataset", "unknown"),
        now=now,
        person=person,
    )
