"""People at sites, and rows for them to look at: plain functions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from sensors.formats import DEFAULT_TEMPLATE
from sensors.models import QuarantinedReading, Sensor, SensorProfile, Site
from tests.factories import make_person

HOSTILE = "<script>alert(1)</script>"


def make_staff(*sites: Site, **values: object) -> User:
    """Staff of these sites with every permission there is, which is no permission to see others."""
    person = make_person(*sites, is_staff=True, **values)
    person.user_permissions.set(Permission.objects.all())
    return person


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def page(client: Client, name: str, *args: object, **query: Any) -> str:
    answer = client.get(reverse(f"admin:{name}", args=args), query)
    assert answer.status_code == 200
    return answer.content.decode()


def make_quarantined(site: Site, **values: object) -> QuarantinedReading:
    n = QuarantinedReading.objects.count()
    return QuarantinedReading.objects.create(
        **{
            "site": site,
            "sensor_ref": "pump-9",
            "category": "validation",
            "code": "time_invalid",
            "detail": "no time",
            "payload": '{"sensor": "pump-9", "time": "2026-03-01T11:00:00Z", "value": 4}',
            "digest": n.to_bytes(32, "big"),
            "source": "http",
            "received_at": timezone.now(),
            **values,
        }
    )


def make_profile(sensor: Sensor, **values: object) -> SensorProfile:
    now = timezone.now()
    return SensorProfile.objects.create(
        **{
            "sensor": sensor,
            "count": 60,
            "mean": 40.0,
            "minimum": 30.0,
            "maximum": 50.0,
            "first_time": now - timedelta(hours=1),
            "last_time": now,
            "last_value": 41.23456,
            "interval_s": 60.0,
            "updated_at": now,
            **values,
        }
    )


def boss() -> Client:
    return signed_in(make_person(is_staff=True, is_superuser=True))


def key_form(name: str, site: Site) -> dict[str, object]:
    return {
        "name": name,
        "site": site.pk,
        "scopes": ["readings:write"],
        "line_template": DEFAULT_TEMPLATE,
    }
