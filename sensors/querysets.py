"""Chainable verbs of the sensors app. Every query starts from `.for_user()` or `.for_key()`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models
from typing_extensions import Self

from sensors.series import Series

if TYPE_CHECKING:
    from sensors.models import IngestKey

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
        return self.filter(**{f"{self._to_site()}members": user}).distinct()

    def for_key(self, key: IngestKey) -> Self:
        """What a device may see: the rows of its key's site."""
        return self.filter(**{f"{self._to_site()}pk": key.site_id})

    def _to_site(self) -> str:
        return f"{self.site_path}__" if self.site_path else ""


class SiteQuerySet(TenantQuerySet[Any]):
    site_path = ""


class AssetQuerySet(TenantQuerySet[Any]):
    pass


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


class IngestKeyQuerySet(TenantQuerySet[Any]):
    def usable(self, *, now: datetime) -> Self:
        return self.filter(revoked_at__isnull=True).filter(
            models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=now)
        )


class ScoringNoteQuerySet(models.QuerySet[Any]):
    def open(self) -> Self:
        """Notes that may be worked on now."""
        return self.filter(held=False)


class ReadingQuerySet(models.QuerySet[Any]):
    """Readings leave the database as columns; this queryset alone orders them by time."""

    def series(
        self, sensor_id: int, *, since: datetime | None = None, until: datetime | None = None
    ) -> Series:
        """All readings of a sensor with since <= time <= until, oldest first."""
        rows = self.filter(sensor_id=sensor_id)
        if since is not None:
            rows = rows.filter(time__gte=since)
        if until is not None:
            rows = rows.filter(time__lte=until)
        return Series.of(rows.order_by("time").values_list("time", "value", "quality"))

    def before(self, sensor_id: int, time: datetime, n: int) -> Series:
        """The last n readings of a sensor before `time` (exclusive), oldest first."""
        rows = self.filter(sensor_id=sensor_id, time__lt=time).order_by("-time")[:n]
        return Series.of(rows.values_list("time", "value", "quality")).reversed()

    def after(self, sensor_id: int, time: datetime, n: int) -> Series:
        """The first n readings of a sensor after `time` (exclusive), oldest first."""
        rows = self.filter(sensor_id=sensor_id, time__gt=time).order_by("time")[:n]
        return Series.of(rows.values_list("time", "value", "quality"))


