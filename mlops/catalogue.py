"""Which versions there are and which are champion, as known here: no registry is asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mlops.models import ModelApproval, Promotion


@dataclass(frozen=True, slots=True)
class Entry:
    """One approved version of a registered model."""

    name: str
    version: int
    task: str
    sensor_kind: str
    detector: str
    dataset: str
    sha256: str
    approved_at: datetime
    revoked_at: datetime | None
    is_champion: bool
    promoted_at: datetime | None


def catalogue() -> list[Entry]:
    """By name, newest version first."""
    champions = {
        made.name: made
        for made in Promotion.objects.order_by("name", "-promoted_at", "-id").distinct("name")
    }
    return [_entry(row, champions.get(row.name)) for row in ModelApproval.objects.all()]


def _entry(row: ModelApproval, champion: Promotion | None) -> Entry:
    is_champion = champion is not None and champion.version == row.version
    return Entry(
        name=row.name,
        version=row.version,
        task=row.task,
        sensor_kind=row.sensor_kind,
        detector=row.detector,
        dataset=row.dataset,
        sha256=row.sha256,
        approved_at=row.approved_at,
        revoked_at=row.revoked_at,
        is_champion=is_champion,
        promoted_at=champion.promoted_at if champion and is_champion else None,
    )
