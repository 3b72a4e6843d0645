"""Chainable verbs of the anomalies app."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import RawSQL

from anomalies.predicted import DETECTOR as FORECAST
from anomalies.silence import DETECTOR as SILENCE
from sensors.querysets import TenantQuerySet

_MEETING = """
SELECT found.id
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS asked (sensor_id, since, until)
JOIN anomalies_anomaly found ON found.sensor_id = asked.sensor_id
     AND found."end" >= asked.since AND found.start <= asked.until
"""

_TOUCHED = """
SELECT found.id
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS asked (sensor_id, since, until)
JOIN sensors_sensor own ON own.id = asked.sensor_id,
LATERAL (SELECT own.id UNION SELECT id FROM sensors_sensor WHERE asset_id = own.asset_id) AS machine
JOIN anomalies_anomaly found ON found.sensor_id = machine.id
WHERE (found.routed_since IS NULL OR found.routed_since <= asked.until)
  AND (found.routed_until IS NULL OR found.routed_until >= asked.since)
"""


class AnomalyQuerySet(TenantQuerySet[Any]):
    site_path = "sensor__site"

    def standing(self) -> Self:
        """Not withdrawn."""
        return self.filter(withdrawn_at__isnull=True)

    def silences(self) -> Self:
        """Standing ones where nothing was measured."""
        return self.standing().filter(detector=SILENCE)

    def of_readings(self) -> Self:
        """What was found in readings, as opposed to their absence and to what is ahead."""
        return self.exclude(detector__in=[SILENCE, FORECAST])

    def of_one_sensor(self) -> Self:
        """What was found in one sensor's readings, as opposed to those of a machine together."""
        return self.of_readings().filter(asset__isnull=True)

    def open(self) -> Self:
        """What goes on."""
        return self.standing().filter(is_open=True)

    def overlapping(self, sensor_id: int, *, since: datetime, until: datetime) -> Self:
        """Standing anomalies of a sensor that share an instant with [since, until]."""
        reaches = Q(end__gte=since) | Q(is_open=True)
        return self.standing().filter(reaches, sensor_id=sensor_id, start__lte=until)

    def meeting(self, spans: Sequence[tuple[int, datetime, datetime]]) -> Self:
        """Those that share an instant with the (since, until) of their sensor in `spans`."""
        columns = [list(column) for column in zip(*spans, strict=True)] or [[], [], []]
        return self.filter(pk__in=RawSQL(_MEETING, columns))  # noqa: S611  no input in it

    def touched(self, spans: Sequence[tuple[int, datetime, datetime]]) -> set[int]:
        """Those of a (sensor, since, until)'s machine that were routed by readings within that
        range, or were not yet."""
        columns = [list(column) for column in zip(*spans, strict=True)] or [[], [], []]
        found = self.filter(pk__in=RawSQL(_TOUCHED, columns))  # noqa: S611  no input in it
        return set(found.order_by().values_list("pk", flat=True))

    def awaiting_validation(self) -> Self:
        return self.standing().filter(validation_due_at__isnull=False)

    def awaiting_routing(self) -> Self:
        return self.standing().filter(routing_due_at__isnull=False)

    def awaiting_episode(self) -> Self:
        """What is new or has changed since its episode was looked at, withdrawn ones included."""
        return self.filter(episode_due_at__isnull=False)

    def awaiting_review(self) -> Self:
        """One row for each cause: those that follow another are told by it."""
        return self.standing().filter(verdict="", follows__isnull=True)

    def for_list(self) -> Self:
        return self.select_related("sensor", "sensor__asset", "sensor__site")


class ValidationQuerySet(TenantQuerySet[Any]):
    site_path = "anomaly__sensor__site"


class CalibrationQuerySet(TenantQuerySet[Any]):
    def in_force(self) -> Self:
        """The newest of each scope that is not reverted, most general first."""
        newest = self.filter(reverted_at__isnull=True).order_by(
            "site_id", "kind", F("sensor_id").asc(nulls_first=True), "-made_at", "-id"
        )
        return newest.distinct("site_id", "kind", "sensor_id")


class DetectionLeaseQuerySet(models.QuerySet[Any]):
    def free(self, *, now: datetime) -> Self:
        """Sensors that nobody scores: never leased, released, or leased by a worker that died."""
        return self.filter(Q(leased_until__isnull=True) | Q(leased_until__lt=now))


class EpisodeQuerySet(TenantQuerySet[Any]):
    def open(self) -> Self:
        """Whatever is not resolved."""
        return self.exclude(state="resolved")

    def untouched(self) -> Self:
        """Open ones that nobody has in hand."""
        return self.filter(state__in=("open", "reopened"))

    def for_list(self) -> Self:
        return self.select_related("site", "asset", "sensor", "first_sensor", "assignee")


class EpisodeEventQuerySet(TenantQuerySet[Any]):
    site_path = "episode__site"


class RouteQuerySet(TenantQuerySet[Any]):
    pass


class MessageQuerySet(TenantQuerySet[Any]):
    def waiting(self) -> Self:
        """Not through yet."""
        return self.filter(state="waiting")


class NotificationQuerySet(TenantQuerySet[Any]):
    site_path = "episode__site"

    def waiting(self) -> Self:
        """Not in a message yet."""
        return self.filter(message__isnull=True, dropped="")


class PreviewQuerySet(TenantQuerySet[Any]):
    pass


class WindowQuerySet(TenantQuerySet[Any]):
    pass


class OccurrenceQuerySet(TenantQuerySet[Any]):
    site_path = "window__site"


class HiddenQuerySet(TenantQuerySet[Any]):
    site_path = "occurrence__window__site"
