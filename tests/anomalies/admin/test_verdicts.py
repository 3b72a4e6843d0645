"""What a verdict does, who may give one, and on what."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from anomalies.models import Review, SensorValidationProfile
from tests.anomalies.admin.workplace import (
    LIST,
    boss,
    make_engineer,
    page_of,
    review_on_page,
    signed_in,
)
from tests.factories import NOW, make_anomaly, make_sensor

pytestmark = pytest.mark.django_db


def test_a_verdict_on_the_page_is_kept_with_its_note_and_leads_on_to_the_next() -> None:
    sensor = make_sensor()
    first = make_anomaly(sensor=sensor, severity=5)
    second = make_anomaly(sensor=sensor, severity=4, start=NOW - timedelta(days=1))
    person = make_engineer(sensor.site)
    address = reverse("admin:anomalies_anomaly_review", args=[first.pk])
    answer = signed_in(person).post(address, {"verdict": "confirmed", "note": "dry bearing"})
    assert answer["Location"] == reverse("admin:anomalies_anomaly_change", args=[second.pk])
    said = Review.objects.get()
    assert (said.anomaly, said.verdict, said.note, said.person) == (
        first,
        "confirmed",
        "dry bearing",
        person,
    )
    assert SensorValidationProfile.objects.get(sensor=sensor).confirmed == 1


@pytest.mark.parametrize(
    "form", [{}, {"verdict": "maybe"}, {"verdict": "unsure", "note": "x" * 4001}]
)
def test_what_is_no_verdict_changes_nothing(form: dict[str, str]) -> None:
    anomaly = make_anomaly()
    assert review_on_page(boss(), anomaly, **form) == 302
    assert not Review.objects.exists()


def test_reading_along_does_not_allow_judging() -> None:
    anomaly = make_anomaly()
    client = signed_in(make_engineer(anomaly.sensor.site, may=("view_anomaly",)))
    assert review_on_page(client, anomaly, verdict="confirmed") == 403
    assert "Your verdict" not in page_of(client, anomaly)
    form = {"action": "confirm", "_selected_action": [anomaly.pk], "apply": "1"}
    client.post(reverse(LIST), form)
    assert not Review.objects.exists()


def test_a_verdict_is_given_by_post_alone() -> None:
    address = reverse("admin:anomalies_anomaly_review", args=[make_anomaly().pk])
    assert boss().get(address).status_code == 405


def test_a_withdrawn_anomaly_cannot_be_judged() -> None:
    anomaly = make_anomaly(withdrawn_at=NOW)
    client = boss()
    review_on_page(client, anomaly, verdict="confirmed")
    assert not Review.objects.exists()
    assert "Later readings took it back" in page_of(client, anomaly)


@pytest.mark.parametrize(
    ("action", "verdict"),
    [("confirm", "confirmed"), ("false_positive", "false_positive"), ("unsure", "unsure")],
)
def test_many_are_judged_with_one_note_which_is_asked_for_first(action: str, verdict: str) -> None:
    anomalies = [make_anomaly(), make_anomaly()]
    client, person = boss(), User.objects.latest("pk")
    form = {"action": action, "_selected_action": [a.pk for a in anomalies]}
    asked = client.post(reverse(LIST), form)
    assert asked.status_code == 200
    assert not Review.objects.exists()
    client.post(reverse(LIST), {**form, "apply": "1", "note": "same cause"})
    found = Review.objects.values_list("verdict", "note", "person")
    assert list(found) == [(verdict, "same cause", person.pk)] * 2


def test_detections_can_be_neither_edited_nor_deleted() -> None:
    anomaly = make_anomaly()
    client = boss()
    address = reverse("admin:anomalies_anomaly_change", args=[anomaly.pk])
    assert client.post(address, {"score": "0.1"}).status_code == 403
    address = reverse("admin:anomalies_anomaly_delete", args=[anomaly.pk])
    assert client.post(address, {"post": "yes"}).status_code == 403
    assert client.get(reverse("admin:anomalies_anomaly_add")).status_code == 403
