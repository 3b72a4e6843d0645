"""The form of alert budgets: what it proposes is what the command does, and it is confirmed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from anomalies.models import Calibration
from sensors.models import Sensor, Site
from tests.factories import make_asset, make_evidence, make_person, make_sensor, make_site

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
VIEW, CHANGE = "view_calibration", "change_calibration"


@pytest.fixture
def sensor() -> Sensor:
    """Six episodes in four weeks, each more credible than the one after it."""
    found = make_sensor(asset=make_asset(site=make_site(slug="north"), name="pump"))
    for i in range(6):
        start = timezone.now() - (2 + 4 * i) * DAY
        make_evidence(sensor=found, start=start, confidence=0.5 + i / 20, score=0.8)
    return found


def signed_in(*sites: Site, may: tuple[str, ...] = (VIEW, CHANGE)) -> Client:
    person = make_person(*sites, is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=may))
    client = Client()
    client.force_login(person)
    return client


def address() -> str:
    return reverse("admin:anomalies_calibration_budget")


def asked(site: Site, **values: Any) -> dict[str, Any]:
    return {"site": site.pk, "per_week": "0.5", "weeks": "4", **values}


def confirmed(site: Site, **values: Any) -> dict[str, Any]:
    return asked(site, **{"kind": "vibration", "threshold": "0.650001", **values})


def test_it_proposes_what_the_command_proposes_and_writes_nothing(sensor: Sensor) -> None:
    answer = signed_in(sensor.site).get(address(), asked(sensor.site))
    (panel,) = answer.context["panels"]
    assert panel["found"].kind == "vibration"
    assert panel["found"].budget.after.threshold == pytest.approx(0.650001)
    marked = {mark: (step.episodes, step.missed) for mark, step in panel["rows"] if mark}
    assert marked == {"now": (6, 0), "proposed": (2, 0)}
    text = answer.content.decode()
    assert "0.5 episodes a week instead of 1.5" in text
    assert "Apply to vibration" in text
    assert not Calibration.objects.exists()


def test_what_was_confirmed_is_in_force_by_name_and_leaves_a_trace(sensor: Sensor) -> None:
    client = signed_in(sensor.site)
    answer = client.post(address(), confirmed(sensor.site), follow=True)
    row = Calibration.objects.get()
    assert row.false_positive_threshold == pytest.approx(0.650001)
    assert str(row.made_by_id) == client.session["_auth_user_id"]
    assert row.report["budget_per_week"] == 0.5
    assert LogEntry.objects.get().object_id == str(row.pk)
    assert "is in force" in answer.content.decode()
    again = client.get(address(), asked(sensor.site)).content.decode()
    assert "The budget is met as it is." in again
    assert "Apply to" not in again


def test_what_changed_meanwhile_is_shown_again_and_not_applied(sensor: Sensor) -> None:
    client = signed_in(sensor.site)
    Sensor.objects.get().anomalies.filter(confidence__gt=0.7).delete()
    answer = client.post(address(), confirmed(sensor.site), follow=True)
    assert "something came meanwhile" in answer.content.decode()
    assert answer.context["panels"]
    assert not Calibration.objects.exists()


def test_a_confirmed_fault_is_given_up_only_if_that_is_ticked(sensor: Sensor) -> None:
    sensor.anomalies.filter(confidence=0.5).update(verdict="confirmed")
    client = signed_in(sensor.site)
    text = client.get(address(), asked(sensor.site)).content.decode()
    assert "nobody would have been told of 1, instead of 0" in text
    assert 'name="accept_missed"' in text
    client.post(address(), confirmed(sensor.site))
    assert not Calibration.objects.exists()
    client.post(address(), confirmed(sensor.site, accept_missed="on"))
    assert Calibration.objects.get().report["after"]["missed"] == 1


def test_who_may_only_look_sees_the_cost_and_applies_nothing(sensor: Sensor) -> None:
    client = signed_in(sensor.site, may=(VIEW,))
    assert "Apply to" not in client.get(address(), asked(sensor.site)).content.decode()
    assert client.post(address(), confirmed(sensor.site)).status_code == 403
    assert signed_in(sensor.site, may=()).get(address()).status_code == 403
    assert not Calibration.objects.exists()


def test_another_sites_budget_can_be_neither_seen_nor_applied(sensor: Sensor) -> None:
    client = signed_in(make_site(name="elsewhere"))
    answer = client.get(address(), asked(sensor.site))
    assert answer.context["panels"] == []
    assert str(sensor.site) not in answer.content.decode()
    client.post(address(), confirmed(sensor.site))
    assert not Calibration.objects.exists()


@pytest.mark.parametrize("wrong", [{"per_week": "-1"}, {"weeks": "0"}, {"per_week": "nan"}])
def test_what_is_no_budget_is_said(sensor: Sensor, wrong: dict[str, str]) -> None:
    answer = signed_in(sensor.site).get(address(), asked(sensor.site, **wrong))
    assert answer.context["form"].errors
    assert answer.context["panels"] == []


def test_a_site_without_sensors_says_so() -> None:
    site = make_site()
    text = signed_in(site).get(address(), asked(site)).content.decode()
    assert "has no sensor that is scored" in text
