"""People who review, and what they look at: plain functions."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from anomalies.models import Anomaly, Validation
from sensors.models import Site
from tests.factories import NOW, make_person

HOSTILE = "<script>alert(1)</script>"
LIST = "admin:anomalies_anomaly_changelist"


def make_engineer(*sites: Site, may: tuple[str, ...] = ("view_anomaly", "add_review")) -> User:
    person = make_person(*sites, is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=may))
    return person


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def boss() -> Client:
    return signed_in(make_person(is_staff=True, is_superuser=True))


def listed(client: Client, **query: Any) -> list[int]:
    answer = client.get(reverse(LIST), query)
    assert answer.status_code == 200
    return [anomaly.pk for anomaly in answer.context["cl"].result_list]


def page_of(client: Client, anomaly: Anomaly) -> str:
    answer = client.get(reverse("admin:anomalies_anomaly_change", args=[anomaly.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def review_on_page(client: Client, anomaly: Anomaly, **form: str) -> int:
    address = reverse("admin:anomalies_anomaly_review", args=[anomaly.pk])
    return client.post(address, form).status_code


def make_validation(anomaly: Anomaly, **values: object) -> Validation:
    return Validation.objects.create(
        **{
            "anomaly": anomaly,
            "revision": 1,
            "decision": "credible_anomaly",
            "status": "credible_anomaly",
            "confidence": 0.75,
            "terms": [
                {"source": "detector", "name": "local", "value": 0.95, "reason": "score 0.8"},
                {"source": "history", "name": "volatility", "value": -0.2, "reason": "it jumps"},
            ],
            "policy": {"credible_threshold": 0.66, "false_positive_threshold": 0.33},
            "validated_at": NOW,
            **values,
        }
    )
