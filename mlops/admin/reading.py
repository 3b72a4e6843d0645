"""Rows about models, to be read only, and a sensor's own by those alone who see the sensor."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from sensors.admin.read_only import ReadOnly
from sensors.models import Sensor

# Models of one sensor bear its id, so they are seen by those who see the sensor.
SENSOR_PREFIX = "anomaly-sensor-"


class ReadOnlyAdmin(ReadOnly, admin.ModelAdmin):
    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        if getattr(request.user, "is_superuser", False):
            return rows
        ids = Sensor.objects.for_user(request.user).values_list("pk", flat=True)
        own = [f"{SENSOR_PREFIX}{pk}" for pk in ids]
        return rows.exclude(name__startswith=SENSOR_PREFIX) | rows.filter(name__in=own)
