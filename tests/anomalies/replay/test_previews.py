"""Previews from the admin: asked for, run by a worker, looked at; of one's own sites alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rq.timeouts import JobTimeoutException

from anomalies.models import Preview, ValidationRule
from anomalies.replay import previews
from sensors.models import Sensor
from tests.factories import make_asset, make_person, make_readings, make_sensor, make_site

pytestmark = pytest.mark.django_db(transaction=True)

ADD = "admin:anomalies_preview_add"


@pytest.fixture(autouse=True)
def few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "LEAD", timedelta(0))
    monkeypatch.setattr(previews, "STEP", timedelta(hours=1))


@pytest.fixture
def sensor() -> Sensor:
    """A limit was crossed an hour ago, and nobody has looked."""
    found = make_sensor(asset=make_asset(name="pump"), alarm_high=50.0)
    until = timezone.now() - timedelta(minutes=30)
    make_readings(found, [40.0] * 20 + [90.0] * 3 + [40.0] * 5, until=until)
    return found


def client_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def engineer(sensor: Sensor) -> Client:
    person = make_person(sensor.site, is_staff=True)
    names = ["add_preview", "view_preview", "view_validationrule"]
    person.user_permissions.set(Permission.objects.filter(codename__in=names))
    return client_of(person)


def ask(client: Client, sensor: Sensor, **values: Any) -> Any:
    return client.post(reverse(ADD), {"site": sensor.site_id, "days": 1, **values})


def test_a_preview_is_asked_for_run_and_looked_at(sensor: Sensor) -> None:
    client = engineer(sensor)
    forced = {"conditions": [], "forced_decision": "false_positive_suspected"}
    rule = ValidationRule.objects.create(name="known", site=sensor.site, enabled=False, **forced)
    for values in ({}, {"rule": rule.pk}):
        answer = ask(client, sensor, **values)
        preview = Preview.objects.latest("pk")
        page = reverse("admin:anomalies_preview_change", args=[preview.pk])
        assert answer["Location"] == page
        assert 'http-equiv="refresh"' in client.get(page).content.decode()
        assert previews.run_waiting(now=timezone.now()) == 1
        text = client.get(page).content.decode()
        assert 'http-equiv="refresh"' not in text
        assert "badge-good" in text
    first, second = Preview.objects.order_by("pk")
    assert first.result is not None
    assert second.result is not None
    assert first.result["counts"]["would_be"]["episodes"] == 1
    assert second.result["counts"]["would_be"]["episodes"] == 0
    assert second.change == {"flip_rule": rule.pk}
    assert not previews.waiting(now=timezone.now())


def test_what_cannot_be_made_is_refused_or_fails_with_a_reason(sensor: Sensor) -> None:
    client = engineer(sensor)
    answer = ask(client, sensor, policies='{"EPISODE_POLICY": {"mood": 1}}')
    assert "EPISODE_POLICY" in answer.content.decode()
    assert "Select a valid choice" in ask(client, sensor, model="7").content.decode()
    assert not Preview.objects.exists()
    now = timezone.now()
    Preview.objects.create(
        site=sensor.site, change={"flip_rule": 99}, since=now - timedelta(days=1), until=now,
        asked_at=now,
    )  # fmt: skip
    previews.run_waiting(now=now)
    failed = Preview.objects.get()
    assert (failed.state, failed.error) == ("failed", "There is no rule 99 for these sites.")
    page = reverse("admin:anomalies_preview_change", args=[failed.pk])
    assert failed.error in client.get(page).content.decode()


def test_nobody_previews_or_sees_another_site(sensor: Sensor) -> None:
    other = make_sensor(site=make_site())
    stranger = engineer(other)
    assert "Select a valid choice" in ask(stranger, sensor).content.decode()
    ask(engineer(sensor), sensor)
    preview = Preview.objects.get()
    page = reverse("admin:anomalies_preview_change", args=[preview.pk])
    assert stranger.get(page).status_code == 302
    listed = stranger.get(reverse("admin:anomalies_preview_changelist"))
    assert listed.context["cl"].result_count == 0


def test_what_a_dead_worker_left_is_taken_again(sensor: Sensor) -> None:
    now = timezone.now()
    span = {"since": now - timedelta(hours=1), "until": now, "asked_at": now, "state": "running"}
    Preview.objects.create(site=sensor.site, seen_at=now, **span)
    assert not previews.waiting(now=now)
    Preview.objects.update(seen_at=now - timedelta(hours=1))
    assert previews.waiting(now=now)


def test_a_preview_is_stopped_before_and_while_it_runs(
    sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = engineer(sensor)
    monkeypatch.setattr(previews, "SAY_EVERY_S", 0.0)
    for waits in (True, False):
        ask(client, sensor)
        preview = Preview.objects.latest("pk")
        page = reverse("admin:anomalies_preview_change", args=[preview.pk])
        stop = reverse("admin:anomalies_preview_stop", args=[preview.pk])
        assert f'action="{stop}"' in client.get(page).content.decode()
        assert client.get(stop).status_code == 405
        if waits:
            assert client.post(stop)["Location"] == page
            assert previews.run_waiting(now=timezone.now()) == 0
        else:
            of_now = previews._progress

            def stopping(which: Preview, of_now: Any = of_now, stop: str = stop) -> Any:
                client.post(stop)
                return of_now(which)

            monkeypatch.setattr(previews, "_progress", stopping)
            assert previews.run_waiting(now=timezone.now()) == 1
        preview.refresh_from_db()
        assert (preview.state, preview.result, preview.error) == ("stopped", None, "")
        text = client.get(page).content.decode()
        assert "badge-dim" in text
        assert 'http-equiv="refresh"' not in text
        assert f'action="{stop}"' not in text
        assert "It was over already." in client.post(stop, follow=True).content.decode()


def test_nobody_stops_one_of_another_site_or_without_the_right(sensor: Sensor) -> None:
    ask(engineer(sensor), sensor)
    stop = reverse("admin:anomalies_preview_stop", args=[Preview.objects.get().pk])
    assert engineer(make_sensor(site=make_site())).post(stop).status_code == 404
    reader = make_person(sensor.site, is_staff=True)
    reader.user_permissions.set(Permission.objects.filter(codename="view_preview"))
    assert client_of(reader).post(stop).status_code == 403
    assert Preview.objects.get().state == "waiting"


def test_a_preview_that_takes_too_long_says_so(
    sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_long(*_args: Any, **_named: Any) -> None:
        raise JobTimeoutException

    monkeypatch.setattr(previews.running, "replay", too_long)
    ask(engineer(sensor), sensor)
    with pytest.raises(JobTimeoutException):
        previews.run_waiting(now=timezone.now())
    found = Preview.objects.get()
    assert found.state == "failed"
    assert "manage.py replay" in found.error
