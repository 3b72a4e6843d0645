"""Asking the API of anomalies: plain functions."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from anomalies.models import Anomaly

LIST = "/api/v1/anomalies"
HOUR = timedelta(hours=1)


def signed_in(person: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {AccessToken.for_user(person)}")
    return client


def found(api: APIClient, **parameters: Any) -> list[int]:
    answer = api.get(LIST, parameters)
    assert answer.status_code == 200, answer.content
    return [anomaly["id"] for anomaly in answer.json()["results"]]


def say(api: APIClient, anomaly: Anomaly, body: Any) -> Any:
    return api.post(f"{LIST}/{anomaly.pk}/review", body, format="json")
