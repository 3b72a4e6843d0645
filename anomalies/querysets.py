"""Chainable verbs of the anomalies app."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from django.db import models
from django.db.models import Q

from sensors.querysets import TenantQuerySet


class AnomalyQuerySet(TenantQuerySet[Any]):
    site_path = "sensor__site"

    def standing(self) -> Self:
        """Not withdrawn."""
        return self.filter(withdrawn_at__isnull=True)

    def overlapping(self, sensor_id: int, *, since: datetime, until: datetime) -> Self:
        """Standing anomalies of a sensor that share an instant with [since, until]."""
        return self.standing().filter(sensor_id=sensor_id, end__gte=since, start__lte=until)

    def awaiting_validation(self) -> Self:
        return self.standing().filter(validation_due_at__isnull=False)

    def awaiting_review(self) -> Self:
        return self.standing().filter(verdict="")

    def for_list(self) -> Self:
        return self.select_related("sensor", "sensor__asset", "sensor__site")


class ValidationQuerySet(TenantQuerySet[Any]):
    site_path = "anomaly__sensor__site"


class DetectionLeaseQuerySet(models.QuerySet[Any]):
    def free(self, *, now: datetime) -> Self:
        """Sensors that nobody scores: never leased, released, or leased by a worker that died."""
        return self.filter(Q(leased_until__isnull=True) | Q(leased_until__lt=now))
