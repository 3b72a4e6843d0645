"""The registry's pages: what may be loaded and what scores now, to read only."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mlops.models import Fallback, ModelApproval, Promotion, ServedModel
from tests.factories import NOW, make_person, make_sensor

pytestmark = pytest.mark.django_db


def signed_in(person: object) -> Client:
    client = Client()
    client.force_login(person)  # type: ignore[arg-type]
    return client


def boss() -> Client:
    return signed_in(make_person(is_staff=True, is_superuser=True))


def approve(name: str, version: int, **values: object) -> ModelApproval:
    return ModelApproval.objects.create(
        **{
            "name": name,
            "version": version,
            "task": "anomaly",
            "sensor_kind": "vibration",
            "detector": "isolation_forest",
            "dataset": "synthetic",
            "sha256": "ab" * 32,
            "signature": "5ec4e7" * 10,
            "approved_at": NOW,
            **values,
        }
    )


def test_the_version_promoted_last_is_marked_as_champion() -> None:
    for version in (1, 2, 3):
        approve("anomaly-vibration", version)
    for version in (1, 3, 2):
        Promotion.objects.create(name="anomaly-vibration", version=version, promoted_at=NOW)
    answer = boss().get(reverse("admin:mlops_modelapproval_changelist"))
    marked = [row.version for row in answer.context["cl"].result_list
              if row.champion_is == row.version]  # fmt: skip
    assert marked == [2]
    assert answer.content.decode().count(">champion</span>") == 1


def test_a_revoked_version_is_called_so() -> None:
    approve("anomaly-vibration", 1, revoked_at=NOW)
    text = boss().get(reverse("admin:mlops_modelapproval_changelist")).content.decode()
    assert ">revoked</span>" in text


def test_nothing_can_be_added_edited_or_deleted() -> None:
    row = approve("anomaly-vibration", 1)
    client = boss()
    page = reverse("admin:mlops_modelapproval_change", args=[row.pk])
    assert client.get(reverse("admin:mlops_modelapproval_add")).status_code == 403
    assert client.post(page, {"sha256": "cd" * 32}).status_code == 403
    erase = reverse("admin:mlops_modelapproval_delete", args=[row.pk])
    assert client.post(erase, {"post": "yes"}).status_code == 403
    assert row.signature not in client.get(page).content.decode()


def test_the_model_of_a_sensor_is_seen_by_those_who_see_the_sensor() -> None:
    mine, theirs = make_sensor(), make_sensor()
    for sensor in (mine, theirs):
        approve(f"anomaly-sensor-{sensor.pk}", 1)
    approve("anomaly-vibration", 1)
    person = make_person(mine.site, is_staff=True)
    person.user_permissions.set(Permission.objects.all())
    answer = signed_in(person).get(reverse("admin:mlops_modelapproval_changelist"))
    names = {row.name for row in answer.context["cl"].result_list}
    assert names == {"anomaly-vibration", f"anomaly-sensor-{mine.pk}"}


def test_the_list_of_models_in_service_asks_once_for_all_their_stand_ins() -> None:
    client = boss()
    address, asked = reverse("admin:mlops_servedmodel_changelist"), []
    for number in range(4):
        ServedModel.objects.create(
            name=f"anomaly-{number}",
            version=1,
            hits=0,
            disk_loads=0,
            downloads=0,
            failures=0,
            asked_at=NOW,
        )
        for rung in ("statistical", "local"):
            Fallback.objects.create(
                name=f"anomaly-{number}", rung=rung, sensors=number, last_at=NOW
            )
        with CaptureQueriesContext(connection) as queries:
            page = client.get(address).content.decode()
        asked.append(len(queries))
    assert "local 3 times, statistical 3 times" in page
    assert asked[1] == asked[-1]
