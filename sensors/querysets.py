"""Chainable verbs of the sensors app. Every query starts from `.for_user()` or `.for_key()`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import connection, models

from sensors.copying import as_times, copied
from sensors.series import Series

if TYPE_CHECKING:
    from sensors.models import IngestKey

_SERIES = {"time": "timestamptz", "value": "float8", "quality": "float4"}
# A sensor's held note grows over what else is to be scored again.
_HOLD = """
UPDATE sensors_scoringnote note
SET since = least(note.since, asked.since), until = greatest(note.until, asked.until)
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS asked (sensor_id, since, until)
WHERE note.sensor_id = asked.sensor_id AND note.held AND note.reason = 'degraded'
RETURNING note.sensor_id
"""

M = TypeVar("M", bound=models.Model)


class TenantQuerySet(models.QuerySet[M], Generic[M]):
    """Rows that belong to a site. `site_path` leads from the row to its site."""

    site_path = "site"

    def for_user(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        """What a person may see: all for a superuser, else the rows of their sites."""
        if getattr(user, "is_superuser", False) and user.is_active:
            return self.all()
        if not user.is_authenticated:
            return self.none()
        # One membership at most joins, so no row comes twice; `distinct` would forbid `delete`.
        return self.filter(**{f"{self._to_site()}members": user})

    def for_key(self, key: IngestKey) -> Self:
        """What a device may see: the rows of its key's site."""
        return self.filter(**{f"{self._to_site()}pk": key.site_id})

    def delete_in_pieces(self, size: int = 5000) -> int:
        """Delete these rows, `size` at a time, so that no transaction is long. How many."""
        removed = 0
        while True:
            some = list(self.order_by().values_list("pk", flat=True)[:size])
            gone, _ = self.model._default_manager.filter(pk__in=some).delete()
            removed += gone
            if len(some) < size:
                return removed

    def _to_site(self) -> str:
        return f"{self.site_path}__" if self.site_path else ""


class SiteQuerySet(TenantQuerySet[Any]):
    site_path = ""


class AssetQuerySet(TenantQuerySet[Any]):
    pass


class OperatingStateQuerySet(TenantQuerySet[Any]):
    site_path = "asset__site"


class StateSourceQuerySet(TenantQuerySet[Any]):
    site_path = "asset__site"


class SensorQuerySet(TenantQuerySet[Any]):
    def scored(self) -> Self:
        """Sensors that detection works on."""
        return self.exclude(status="retired")

    def discovered_since(self, key: IngestKey, since: datetime) -> Self:
        return self.filter(discovered_by=key, created_at__gte=since)


class QuarantineQuerySet(TenantQuerySet[Any]):
    def waiting(self) -> Self:
        return self.filter(replayed_at__isnull=True)

    def older_than(self, age: timedelta, *, now: datetime) -> Self:
        return self.filter(received_at__lt=now - age)


class ReadingConflictQuerySet(TenantQuerySet[Any]):
    site_path = "sensor__site"

    def older_than(self, age: timedelta, *, now: datetime) -> Self:
        return self.filter(received_at__lt=now - age)


class IngestKeyQuerySet(TenantQuerySet[Any]):
    def usable(self, *, now: datetime) -> Self:
        return self.filter(revoked_at__isnull=True).filter(
            models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=now)
        )


class ScoringNoteQuerySet(models.QuerySet[Any]):
    def open(self) -> Self:
        """Notes that may be worked on now."""
        return self.filter(held=False)

    def hold(self, spans: Sequence[tuple[int, datetime, datetime]]) -> None:
        """Remember of each (sensor, since, until) that the champion is to score it again; one such
        note a sensor.

        Call it while holding the sensors' leases, in a transaction.
        """
        if not spans:
            return
        with connection.cursor() as cursor:
            cursor.execute(_HOLD, [list(column) for column in zip(*spans, strict=True)])
            held = {sensor_id for (sensor_id,) in cursor.fetchall()}
        self.bulk_create(
            self.model(sensor_id=pk, since=since, until=until, reason="degraded", held=True)
            for pk, since, until in spans
            if pk not in held
        )


class ReadingQuerySet(models.QuerySet[Any]):
    """Readings leave the database as columns; this queryset alone orders them by time."""

    def series(
        self,
        sensor_id: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Series:
        """The readings of a sensor with since <= time <= until, oldest first, `limit` at most."""
        since = since or datetime.min.replace(tzinfo=UTC)
        until = until or datetime.max.replace(tzinfo=UTC)
        return self._columns(
            "time >= %s AND time <= %s ORDER BY time LIMIT %s", sensor_id, since, until, limit
        )

    def before(self, sensor_id: int, time: datetime, n: int) -> Series:
        """The last n readings of a sensor before `time` (exclusive), oldest first."""
        return self._columns("time < %s ORDER BY time DESC LIMIT %s", sensor_id, time, n).reversed()

    def after(
        self, sensor_id: int, time: datetime, n: int, *, before: datetime | None = None
    ) -> Series:
        """The first n readings of a sensor after `time` and before `before`, oldest first."""
        until = before or datetime.max.replace(tzinfo=UTC)
        return self._columns(
            "time > %s AND time < %s ORDER BY time LIMIT %s", sensor_id, time, until, n
        )

    def _columns(self, condition: str, sensor_id: int, *params: object) -> Series:
        statement = (
            "SELECT time, value, quality FROM sensors_reading "  # noqa: S608  no input in it
            f"WHERE sensor_id = %s AND {condition}"
        )
        found = copied(statement, (sensor_id, *params), _SERIES)
        return Series(as_times(found["time"]), found["value"], found["quality"])
