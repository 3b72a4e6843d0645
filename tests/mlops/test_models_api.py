"""GET /api/v1/models."""

import pytest
from django.test import Client

from mlops.models import ModelApproval, Promotion
from tests.factories import NOW, make_key, make_person, make_sensor, make_site

pytestmark = pytest.mark.django_db


def make_approval(name: str = "anomaly-vibration", version: int = 1) -> ModelApproval:
    return ModelApproval.objects.create(
        name=name,
        version=version,
        task="anomaly",
        sensor_kind="vibration",
        detector="tails",
        dataset="readings",
        sha256="0" * 64,
        signature="0" * 64,
        approved_at=NOW,
    )


def headers(*scopes: str) -> dict[str, str]:
    return {"Authorization": f"Api-Key {make_key(scopes=list(scopes))[1]}"}


def test_a_person_sees_the_versions_and_which_is_champion(client: Client) -> None:
    make_approval(version=1)
    make_approval(version=2)
    Promotion.objects.create(name="anomaly-vibration", version=1, promoted_at=NOW)
    client.force_login(make_person(make_site()))
    found = client.get("/api/v1/models", secure=True).json()
    assert [(each["version"], each["is_champion"]) for each in found] == [(2, False), (1, True)]
    assert found[1]["detector"] == "tails"


def test_a_key_that_may_read_sees_them(client: Client) -> None:
    make_approval()
    answer = client.get("/api/v1/models", headers=headers("read"), secure=True)
    assert len(answer.json()) == 1


def test_a_key_that_may_only_write_does_not(client: Client) -> None:
    answer = client.get("/api/v1/models", headers=headers("readings:write"), secure=True)
    assert answer.status_code == 403


def test_nobody_without_credentials(client: Client) -> None:
    assert client.get("/api/v1/models", secure=True).status_code == 401


def test_a_sensors_own_model_is_seen_by_its_site_alone(client: Client) -> None:
    sensor = make_sensor()
    make_approval(f"anomaly-sensor-{sensor.pk}")
    client.force_login(make_person(make_site()))
    assert client.get("/api/v1/models", secure=True).json() == []
    client.force_login(make_person(sensor.site))
    assert len(client.get("/api/v1/models", secure=True).json()) == 1
